// The leaf kernels: the only code that is compiled once per instruction set.
//
// Each takes raw rows, allocates nothing, throws nothing, calls nothing. Rows are padded with zeros to
// `stride` elements, a multiple of 64 bytes, so that no kernel has a tail. Sums have one fixed order:
// 64-byte vectors of lanes, one accumulator, then the tree l + (l + half). All instruction sets with
// fused multiply-add therefore give the same bits.
#pragma once

#include <cstdint>

#include "core/codes.h"

namespace fewfire {

// Neurons are handled in blocks of 64: one cache line of bytes, one bit mask, one GEMM tile.
constexpr int64_t kBlock = 64;

// A half-space tree tests a group of 16 points, or the boxes of 16 groups, at one time.
constexpr int64_t kGroupSize = 16;

// Products in float32 that follow each product of bytes: its scale, two of the error band, five columns.
constexpr int kTerms = 9;

template <class T>
struct Kernels {
  // out[j] = <w, x[ids[j]]>: one row with several.
  void (*dots)(const T* w, const T* x, int64_t stride, const int32_t* ids, int64_t count, T* out);

  // The shared dot kernel, which decides who fires: out[j] = <w[lanes[j]], x[ids[j]]>, lanes ascending.
  // The second reads the samples as codes (codes.h) and gives the same bits; of float only.
  void (*pair_dots)(const T* const* w, const uint8_t* lanes, const T* x, int64_t stride, const int32_t* ids,
                    int64_t count, T* out);
  void (*pair_dots_coded)(const T* const* w, const uint8_t* lanes, const int16_t* x, int64_t stride,
                          const int32_t* ids, int64_t count, T* out);

  // products[s * 64 + lane] = <w_lane, x_s> for `packed` (stride, 64), a block of 64 rows transposed.
  // As fast as a GEMM, but summed in another order: only within rounding of the shared dot.
  void (*block_products)(const T* packed, const T* x, int64_t stride, int64_t count, T* products);

  // masks[s]: the lanes of products[s] that are not <= ceiling - norms[s] * band[lane] (NaN counts).
  void (*above)(const T* products, const T* norms, int64_t count, T ceiling, const T* band, uint64_t* masks);

  // products[s * 64 + lane] = <w_lane, x_s> of rows of whole numbers (words.h): exact, in any order.
  // `packed` is (stride / 2, 64, 2).
  void (*word_products)(const int16_t* packed, const int16_t* x, int64_t stride, int64_t count,
                        int32_t* products);

  // codes[s * 64 + lane]: the distance of neuron `lane` to firing on sample s as a code 0 .. highest,
  // rounded down: code(((b - product) * inverse_norms[s] - slack[lane]) * resolution + offset), where
  // product = sums[s * 64 + lane] * units[lane] * x_units[s].
  void (*distance_codes)(const int32_t* sums, const T* units, const T* x_units, const T* inverse_norms,
                         int64_t count, T threshold, const T* slack, T resolution, T offset, T highest,
                         uint8_t* codes);

  // masks[j]: those of `lanes` where lines[ids[j]] <= reach, for 64 codes at once. Returns how many in all.
  // The second is for lines of half bytes (code_table.h).
  int64_t (*within_reach)(const uint8_t* lines, const uint8_t* reach, uint64_t lanes, const int32_t* ids,
                          int64_t count, uint64_t* masks);
  int64_t (*within_reach_packed)(const uint8_t* lines, const uint8_t* reach, uint64_t lanes,
                                 const int32_t* ids, int64_t count, uint64_t* masks);

  // ids: the places of the bits that are set in words[0], words[64], .. words[64 (n_words - 1)], ascending.
  // Returns how many; up to 16 more are overwritten.
  int64_t (*set_bits)(const uint64_t* words, int64_t n_words, int32_t* ids);

  // How many bits are set in both.
  int64_t (*common_bits)(const uint64_t* a, const uint64_t* b, int64_t n_words);

  // masks[s] loses the lanes that the sketch bound proves silent on sample ids[s]: those whose line holds a
  // code c > 0 with  products[s] + perps[lane] x_perps[s] + slack[lane] x_norms[s] <= (c unit - zero)
  // x_norms[s]. The second as above.
  void (*sketch_bound)(const T* products, const uint8_t* lines, const int32_t* ids, const T* perps,
                       const T* slack, const T* x_perps, const T* x_norms, int64_t count, T unit, T zero,
                       uint64_t* masks);
  void (*sketch_bound_packed)(const T* products, const uint8_t* lines, const int32_t* ids, const T* perps,
                              const T* slack, const T* x_perps, const T* x_norms, int64_t count, T unit,
                              T zero, uint64_t* masks);

  // sums[k * 64 + s] += max(<w_r, x_s> - threshold, 0) a[r, k] for `count` rows r in order, k < n_outputs and
  // a block of 64 samples, `packed` as above. The inner products have the bits of the shared dot.
  void (*add_activations)(const T* w, const T* packed, int64_t stride, T threshold, const T* a,
                          int64_t a_stride, int64_t n_outputs, int64_t count, T* sums);

  // w += sum_j coefficients[j] x[ids[j]], added up before it meets w; returns |w_new - w_old|^2. `next` is
  // the row that comes next, and is fetched meanwhile. The second as above.
  T (*move_row)(T* w, const T* next, const T* x, int64_t stride, const int32_t* ids, const T* coefficients,
                int64_t count);
  T (*move_row_coded)(T* w, const T* next, const int16_t* x, int64_t stride, const int32_t* ids,
                      const T* coefficients, int64_t count);

  // out[ids[j]] += factors[j] * row, for each j in order.
  void (*scatter_row)(const T* row, int64_t stride, const int32_t* ids, const T* factors, int64_t count,
                      T* out);

  // out = p w + q v, or p w where there is no v. May be written over either.
  void (*glide)(const T* w, const T* v, int64_t stride, T p, T q, T* out);

  // |a - scale b|^2, with b in words.
  T (*squared_distance)(const T* a, const int16_t* b, T scale, int64_t stride);

  // The largest |row[f]|; NaN, where there is one.
  T (*largest)(const T* row, int64_t stride);

  // |row|^2.
  T (*squared_norm)(const T* row, int64_t stride);

  // bytes[f] = row[f] / scale to the nearest whole number, which must be one of a byte; leaves in the row
  // what that loses, row - scale bytes. Returns the sum of the bytes.
  int32_t (*quantise)(T* row, int64_t stride, T scale, int8_t* bytes);

  // bounds[s * 64 + lane] = sum + terms[1, lane] x_terms[s, 1] + ... + terms[7, lane] x_terms[s, 7], with sum
  // = (offsets[lane] + <w_lane, x_s>) terms[0, lane] x_terms[s, 0]. The inner product is one of whole
  // numbers: w is (features / 4, 64, 4) and x is (count, features), features a multiple of 8. Those of w lie
  // within +-byte_levels, those of x within byte_levels of byte_levels + 1.
  void (*upper_bounds)(const int8_t* w, const int32_t* offsets, const float* terms, const uint8_t* x,
                       const float* x_terms, int64_t features, int64_t count, float* bounds);

  // How many levels a byte may have to either side of 0: 127, or 63 where four products meet in 16 bits.
  int64_t byte_levels;

  // out = H diag(signs) in, H the Walsh-Hadamard matrix of `size` rows, a power of two >= 16. Both are tiles
  // (size, 64 bytes of lanes): one vector a lane. They may be the same.
  void (*hadamard)(const T* in, T* out, int64_t size, const T* signs);

  // codes[r * lanes + s]: the distance of neuron r to firing on the sample of lane s as a code 0 .. highest,
  // rounded down: code((threshold - scales[r] * tile[r * lanes + s]) * factors[s] + offsets[r]).
  void (*tile_codes)(const T* tile, const T* scales, const T* offsets, int64_t count, const T* factors,
                     T threshold, T highest, uint8_t* codes);

  // Of group groups[i], columns (features, 16): the points where <normal, point> is not <= low (NaN counts),
  // in open[i], and where it is >= high, in sure[i].
  void (*point_masks)(const T* columns, const int32_t* groups, int64_t count, const T* normal,
                      int64_t features, T low, T high, uint16_t* open, uint16_t* sure);

  // Of leaf leaves[i], corners (2, features, 16), the least of each coordinate and the largest: the boxes
  // whose corner furthest along the normal is as above, in open[i], and the corner furthest back, in sure[i].
  void (*box_masks)(const T* corners, const int32_t* leaves, int64_t count, const T* normal, int64_t features,
                    T low, T high, uint16_t* open, uint16_t* sure);

  // out: ids[16 groups[i] + lane] for each lane in masks[i], in their order. Returns how many; up to 16 more
  // are overwritten.
  int64_t (*masked_ids)(const int32_t* ids, const int32_t* groups, int64_t count, const uint16_t* masks,
                        int32_t* out);

  // ids: the places of the bits that are set in `words`, which are cleared; ascending. Returns how many; up
  // to 3 more are overwritten. Fast where words hold few.
  int64_t (*take_bits)(uint64_t* words, int64_t n_words, int32_t* ids);

  // columns[f * 64 + lane] = rows[lane][f] for 64 rows and f < count, a multiple of a vector. `columns` lies
  // on a multiple of 64 bytes. What follows in the rows is fetched meanwhile.
  void (*transpose_rows)(const T* const* rows, int64_t count, T* columns);

  // sums[s * 64 + lane] += sum_p values[p] w_lane[ids[p]] over p in [from[s], to[s]), in this order, one
  // chain of multiply-adds for each lane. `columns` holds the 64 rows of weights from feature `first` on,
  // transposed; it and the sums lie on multiples of 64 bytes.
  void (*sparse_products)(const T* columns, int64_t first, const int32_t* ids, const T* values,
                          const int64_t* from, const int64_t* to, int64_t count, T* sums);

  // masks[s]: the lanes of sums[s] that are > threshold; NaN is not.
  void (*fire_masks)(const T* sums, int64_t count, T threshold, uint64_t* masks);

  // out[p] += factors[j] row[ids[p]] over p in [begins[i], begins[i + 1]), i = samples[j], for each j < count
  // in order. `next` is the row that comes next, of as many columns, and is fetched meanwhile.
  void (*gather_row)(const T* row, const T* next, int64_t columns, const int32_t* samples, const T* factors,
                     int64_t count, const int64_t* begins, const int32_t* ids, T* out);

  // out[j] = sum_p row[ids[p]] values[p], as above: a vector of lanes, their sum as in a dot, then the rest.
  void (*gather_dots)(const T* row, const T* next, int64_t columns, const int32_t* samples, int64_t count,
                      const int64_t* begins, const int32_t* ids, const T* values, T* out);

  // row[ids[p]] += rate factors[j] values[p] over p in [from[i], to[i]), as above. The features of these p
  // lie in the columns [first, first + columns), and so does what is fetched of `next`.
  void (*move_sparse_row)(T* row, const T* next, int64_t first, int64_t columns, const int32_t* samples,
                          const T* factors, T rate, int64_t count, const int64_t* from, const int64_t* to,
                          const int32_t* ids, const T* values);
};

enum class InstructionSet { base, avx2, avx512, neon };

template <class T>
const Kernels<T>& kernels();  // those of the instruction set in use

}  // namespace fewfire
