#include "networks/alive.h"

#include <algorithm>

#include "core/pool.h"
#include "kernels/kernels.h"

namespace fewfire {

template <class T>
void fires_on_any(const Rows<const T>& w, const Rows<const T>& x, T threshold, uint8_t* alive) {
  parallel_for((w.count + kBlock - 1) / kBlock, [&](int64_t block) {
    int32_t ids[kBlock];
    T dots[kBlock];
    for (int64_t r = block * kBlock; r < std::min((block + 1) * kBlock, w.count); ++r) {
      alive[r] = 0;
      for (int64_t first = 0; first < x.count && !alive[r]; first += kBlock) {
        const int64_t count = std::min(kBlock, x.count - first);
        for (int64_t i = 0; i < count; ++i) ids[i] = static_cast<int32_t>(first + i);
        kernels<T>().dots(w[r], x.data, x.stride, ids, count, dots);
        alive[r] = std::any_of(dots, dots + count, [&](T dot) { return dot > threshold; });
      }
    }
  });
}

template void fires_on_any(const Rows<const float>&, const Rows<const float>&, float, uint8_t*);
template void fires_on_any(const Rows<const double>&, const Rows<const double>&, double, uint8_t*);

}  // namespace fewfire
