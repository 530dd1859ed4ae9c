#include "networks/weight_gradients.h"

#include <algorithm>
#include <vector>

#include "core/pool.h"

namespace fewfire {

template <class T>
void weight_gradients(const FireView<T>& fires, const Rows<const T>& a, const Rows<const T>& residual,
                      const Samples<T>& x, T scale, int64_t n_features, T* gradients) {
  const int64_t stride = x.rows.stride;
  parallel_for((a.count + kBlock - 1) / kBlock, [&](int64_t block) {
    static thread_local std::vector<T> pulls, room;
    room.resize(stride + 64 / sizeof(T));
    T* row = room.data() + (-reinterpret_cast<intptr_t>(room.data()) & 63) / sizeof(T);
    for (int64_t r = block * kBlock; r < std::min((block + 1) * kBlock, a.count); ++r) {
      const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
      std::fill_n(row, stride, T{0});
      if (count > 0) {
        pulls.resize(std::max<size_t>(pulls.size(), count));
        const int32_t* ids = fires.samples + begin;
        kernels<T>().dots(a[r], residual.data, residual.stride, ids, count, pulls.data());
        for (int64_t j = 0; j < count; ++j) pulls[j] *= scale;
        x.move(row, row, ids, pulls.data(), count);
      }
      std::copy_n(row, n_features, gradients + r * n_features);
    }
  });
}

#define FEWFIRE_INSTANTIATE(T)                                                                   \
  template void weight_gradients(const FireView<T>&, const Rows<const T>&, const Rows<const T>&, \
                                 const Samples<T>&, T, int64_t, T*);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
