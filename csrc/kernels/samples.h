// A batch of samples as the kernels take it.
#pragma once

#include "core/rows.h"
#include "kernels/kernels.h"

namespace fewfire {

template <class T>
struct Samples {
  Rows<const T> rows;
  const T* norms;
  const int16_t* codes = nullptr;  // the same numbers (codes.h), where they can be coded

  int64_t count() const { return rows.count; }

  void dots(const T* const* w, const uint8_t* lanes, const int32_t* ids, int64_t pairs, T* out) const {
    const Kernels<T>& kernel = kernels<T>();
    if (codes)
      kernel.pair_dots_coded(w, lanes, codes, rows.stride, ids, pairs, out);
    else
      kernel.pair_dots(w, lanes, rows.data, rows.stride, ids, pairs, out);
  }

  T move(T* w, const T* next, const int32_t* ids, const T* coefficients, int64_t pairs) const {
    const Kernels<T>& kernel = kernels<T>();
    return codes ? kernel.move_row_coded(w, next, codes, rows.stride, ids, coefficients, pairs)
                 : kernel.move_row(w, next, rows.data, rows.stride, ids, coefficients, pairs);
  }
};

}  // namespace fewfire
