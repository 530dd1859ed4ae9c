// Samples that are mostly 0: of each the features that are not.
#pragma once

#include <cstdint>

namespace fewfire {

// Those of sample i are [begins[i], begins[i + 1]), features ascending.
template <class T>
struct SparseInputs {
  const int64_t* begins;  // (count + 1)
  const int32_t* ids;     // features
  const T* values;
  int64_t count;

  int64_t pairs() const { return begins[count]; }
};

}  // namespace fewfire
