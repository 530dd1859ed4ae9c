#include "kernels/packed_block.h"

#include <algorithm>
#include <cmath>

namespace fewfire {

template <class T>
void PackedBlock<T>::pack(const T* const* rows, int64_t lanes, int64_t stride) {
  columns.resize(stride * kBlock);
  if (lanes < kBlock) std::fill(columns.begin(), columns.end(), T{0});
  std::fill(norms, norms + kBlock, 0.0);
  // Eight rows at a time: whole cache lines are read and nearly whole ones written.
  for (int64_t lane = 0; lane < lanes; lane += 8) {
    const int64_t width = std::min<int64_t>(8, lanes - lane);
    for (int64_t f = 0; f < stride; ++f) {
      for (int64_t l = 0; l < width; ++l) {
        const T value = rows[lane + l][f];
        columns[f * kBlock + lane + l] = value;
        norms[lane + l] += static_cast<double>(value) * value;
      }
    }
  }
  for (int64_t lane = 0; lane < lanes; ++lane) norms[lane] = std::sqrt(norms[lane]) * (1 + 1e-9);
}

template struct PackedBlock<float>;
template struct PackedBlock<double>;

}  // namespace fewfire
