#include "core/codes.h"

#include <atomic>
#include <cmath>

#include "core/pool.h"

namespace fewfire {

bool can_be_coded(const Rows<const float>& x) {
  std::atomic<bool> all{true};
  parallel_for(x.count, [&](int64_t i) {
    bool exact = true;
    for (int64_t f = 0; f < x.stride; ++f) {
      const float code = x[i][f] * kCodesPerOne;
      exact &= std::abs(code) < kCodesPerOne && code == std::trunc(code);
    }
    if (!exact) all = false;
  });
  return all;
}

void code_rows(const Rows<const float>& x, int16_t* codes) {
  const int64_t stride = coded_stride(x.stride);
  parallel_for(x.count, [&](int64_t i) {
    int16_t* row = codes + i * stride;
    for (int64_t f = 0; f < stride; ++f) {
      const int64_t place = f / 32 * 32 + f % 16 * 2 + f / 16 % 2;
      row[place] = f < x.stride ? static_cast<int16_t>(x[i][f] * kCodesPerOne) : int16_t{0};
    }
  });
}

}  // namespace fewfire
