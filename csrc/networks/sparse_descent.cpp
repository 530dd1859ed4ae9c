#include "networks/sparse_descent.h"

#include <algorithm>

#include "core/pool.h"
#include "kernels/kernels.h"
#include "networks/sums.h"

namespace fewfire {
namespace {

constexpr int64_t kGroups = 16;  // of neurons, at the most

int64_t blocks_of(int64_t neurons) { return (neurons + kBlock - 1) / kBlock; }

// visit(r) for each neuron of a block that fires.
template <class T, class Visit>
void each_firing(const FireView<T>& fires, int64_t block, int64_t n_neurons, Visit visit) {
  for (int64_t r = block * kBlock; r < std::min((block + 1) * kBlock, n_neurons); ++r)
    if (fires.begins[r] < fires.begins[r + 1]) visit(r);
}

}  // namespace

template <class T>
ColumnParts<T>::ColumnParts(const SparseInputs<T>& x, int64_t n_columns)
    : n_columns_(n_columns),
      n_samples_(x.count),
      count_((n_columns + kColumns - 1) / kColumns),
      begins_((count_ + 1) * x.count) {
  parallel_for((x.count + kBlock - 1) / kBlock, [&](int64_t task) {
    for (int64_t i = task * kBlock; i < std::min((task + 1) * kBlock, x.count); ++i) {
      const int32_t *begin = x.ids + x.begins[i], *end = x.ids + x.begins[i + 1];
      for (int64_t part = 0; part <= count_; ++part) {
        begin = std::lower_bound(begin, end, first(part));
        begins_[part * n_samples_ + i] = begin - x.ids;
      }
    }
  });
}

template <class T>
int64_t ColumnParts<T>::columns(int64_t part) const {
  return std::min(kColumns, n_columns_ - first(part));
}

template <class T>
void output_pulls(const FireView<T>& fires, const Rows<const T>& a, const Rows<const T>& residual, T scale,
                  T* pulls) {
  parallel_for(blocks_of(a.count), [&](int64_t block) {
    each_firing(fires, block, a.count, [&](int64_t r) {
      const int64_t begin = fires.begins[r], end = fires.begins[r + 1];
      kernels<T>().dots(a[r], residual.data, residual.stride, fires.samples + begin, end - begin,
                        pulls + begin);
      for (int64_t j = begin; j < end; ++j) pulls[j] *= scale;
    });
  });
}

template <class T>
void move_outputs(const FireView<T>& fires, const Rows<const T>& residual, T threshold, T rate,
                  const Rows<T>& a) {
  parallel_for(blocks_of(a.count), [&](int64_t block) {
    static thread_local std::vector<T> moves;
    each_firing(fires, block, a.count, [&](int64_t r) {
      const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
      moves.resize(std::max<size_t>(moves.size(), count));
      for (int64_t j = 0; j < count; ++j) moves[j] = -rate * (fires.values[begin + j] - threshold);
      kernels<T>().move_row(a[r], a[r], residual.data, residual.stride, fires.samples + begin, moves.data(),
                            count);
    });
  });
}

template <class T>
void sparse_gradients(const FireView<T>& fires, const T* pulls, const Rows<const T>& w,
                      const SparseInputs<T>& x, T* gradients) {
  const Rows<T> out{gradients, 1, x.pairs()};
  sum_over_neurons(w.count, groups_of(w.count, x.pairs(), kGroups), T{1}, out, [&](int64_t r, T* partial) {
    const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
    kernels<T>().gather_row(w[r], w[std::min(r + 1, w.count - 1)], w.stride, fires.samples + begin,
                            pulls + begin, count, x.begins, x.ids, partial);
  });
}

template <class T>
void SparseDescent<T>::move_part(const ColumnParts<T>& parts, int64_t block, int64_t part) const {
  int64_t firing[kBlock + 1], count = 0;
  each_firing(fires, block, w.count, [&](int64_t r) { firing[count++] = r; });
  for (int64_t k = 0; k < count; ++k) {
    const int64_t r = firing[k], begin = fires.begins[r];
    kernels<T>().move_sparse_row(w[r], w[firing[std::min(k + 1, count - 1)]], parts.first(part),
                                 parts.columns(part), fires.samples + begin, pulls + begin, -rate,
                                 fires.begins[r + 1] - begin, parts.begins(part), parts.ends(part), x.ids,
                                 x.values);
  }
}

template <class T>
void backward(const SparseDescent<T>& descent) {
  const ColumnParts<T> parts(descent.x, descent.w.stride);
  parallel_for(blocks_of(descent.w.count), [&](int64_t block) {
    for (int64_t part = 0; part < parts.count(); ++part) descent.move_part(parts, block, part);
  });
}

#define FEWFIRE_INSTANTIATE(T)                                                                               \
  template class ColumnParts<T>;                                                                             \
  template void output_pulls(const FireView<T>&, const Rows<const T>&, const Rows<const T>&, T, T*);         \
  template void move_outputs(const FireView<T>&, const Rows<const T>&, T, T, const Rows<T>&);                \
  template void sparse_gradients(const FireView<T>&, const T*, const Rows<const T>&, const SparseInputs<T>&, \
                                 T*);                                                                        \
  template struct SparseDescent<T>;                                                                          \
  template void backward(const SparseDescent<T>&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
