// Samples as 16-bit codes: half the bytes of float rows, and the same numbers where every one of them is a
// whole multiple of 2^-15 between -1 and 1, as InputScaling makes them. The kernels then give the same bits.
//
// In each group of 32 features, feature l and feature 16 + l stand side by side: shifted up and masked they
// become two vectors of 16 numbers, each the feature times 2^31.
#pragma once

#include <cstdint>

#include "core/rows.h"

namespace fewfire {

constexpr float kCodesPerOne = 32768;           // 2^15
constexpr float kCodeUnit = 1.0f / 2147483648;  // 2^-31, of a code shifted up by 16 bits

// Length of a row of codes, for a float row of this length.
constexpr int64_t coded_stride(int64_t stride) { return (stride + 31) / 32 * 32; }

// Whether every number of the rows has a code.
bool can_be_coded(const Rows<const float>& x);

// Writes the codes (x.count, coded_stride) of rows that can be coded.
void code_rows(const Rows<const float>& x, int16_t* codes);

}  // namespace fewfire
