// Rows as the blocked product takes them.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace fewfire {

// A block of 64 rows, transposed for block_products, with a bound on each row's rounding error.
template <class T>
struct PackedBlock {
  std::vector<T> columns;  // (stride, 64)
  double norms[kBlock];    // |w|, computed in float64
  void pack(const T* const* rows, int64_t lanes, int64_t stride);
};

}  // namespace fewfire
