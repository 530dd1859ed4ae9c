#include "indexes/weight_tree.h"

namespace fewfire {

template <class T>
void weight_tree_refresh(HalfspaceTree<T>& tree, const Weights<T>& w) {
  const int64_t n_features = tree.n_features() - 1;
  tree.revise(0, [&](const int32_t* ids, int64_t count, T* columns) {
    static thread_local std::vector<T> room;
    room.resize(w.room(1));
    for (int64_t lane = 0; lane < count; ++lane) {
      const T* row = w.row(ids[lane], room.data());
      for (int64_t f = 0; f < n_features; ++f) columns[f * kGroupSize + lane] = row[f];
      columns[n_features * kGroupSize + lane] = 0;
    }
    return true;
  });
}

template <class T>
void weight_tree_moved(HalfspaceTree<T>& tree, const double* lengths) {
  const int64_t n_features = tree.n_features() - 1;
  tree.revise(n_features, [&](const int32_t* ids, int64_t count, T* columns) {
    T* drift = columns + n_features * kGroupSize;
    bool moved = false;
    for (int64_t lane = 0; lane < count; ++lane) {
      const double length = lengths[ids[lane]];
      if (length == 0) continue;
      moved = true;
      const T way = round_up<T>(drift[lane] + length);
      drift[lane] =
          way <= std::numeric_limits<T>::max() ? way : std::numeric_limits<T>::infinity();  // NaN too
    }
    return moved;
  });
}

#define FEWFIRE_INSTANTIATE(T)                                             \
  template void weight_tree_refresh(HalfspaceTree<T>&, const Weights<T>&); \
  template void weight_tree_moved(HalfspaceTree<T>&, const double*);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
