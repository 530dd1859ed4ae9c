// Rows in words of 16 bits: products of them are whole numbers, exact in any order, and twice as fast as
// float where the machine multiplies pairs of words. The table of the drift index is written from them.
//
// A row is its words times a unit, a power of two, but for what is lost in rounding; inputs on the grid of
// codes.h lose nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "core/rows.h"
#include "kernels/kernels.h"

namespace fewfire {

// All samples in words.
template <class T>
struct WordInputs {
  const int16_t* words;   // (count, stride)
  const T* units;         // (count)
  int64_t count, stride;  // the features, rounded up to a multiple of 2
  double largest;         // norm of a row of words
  double lost;            // at most, of a row, beside its norm; infinite where something overflows
};

// What all rows have in common.
struct WordLimits {
  double largest, lost;
};

// Writes the words (x.count, stride) and units of samples.
template <class T>
WordLimits word_inputs(const Rows<const T>& x, int64_t stride, int16_t* words, T* units);

// A block of 64 rows of weights in words.
template <class T>
struct WordBlock {
  std::vector<int16_t> rows;     // (64, stride)
  std::vector<int16_t> columns;  // (stride / 2, 64, 2): transposed for Kernels::word_products
  T units[kBlock];
  double norms[kBlock];  // of the words times their unit
  double lost[kBlock];   // |w - that|; infinite where nothing may be claimed

  // Of `lanes` rows. For products with inputs whose words have norm `largest` at most: no sum may leave 32
  // bits.
  void pack(const T* const* w, int64_t lanes, int64_t stride, double largest);
};

}  // namespace fewfire
