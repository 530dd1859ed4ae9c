// Structured weights: blocks of scaled rows of H D1 H D2 H D3, whose products with a sample cost 3 log2(size)
// additions a neuron instead of d multiply-adds (docs/theory/structured.md).
#pragma once

#include <cstdint>

#include "core/rows.h"
#include "kernels/code_table.h"

namespace fewfire {

// Neuron r = block * size + i has the weights scales[r] * (row i of H D1 H D2 H D3 of its block), of which
// the first d columns are kept. H is the unnormalised Walsh-Hadamard matrix.
template <class T>
struct Structure {
  const T* signs;   // (blocks, 3, size): the diagonals D1, D2, D3
  const T* scales;  // (width)
  int64_t size;     // of a block: a power of two, 64 at least
  int64_t width;
};

// Writes the weights: rows (width, stride), of which the first `n_features` columns.
template <class T>
void structured_rows(const Structure<T>& structure, int64_t n_features, const Rows<T>& rows);

// A bound on the error of the products of a neuron with an input of norm 1, one of inputs of this norm at the
// most: that of the transform, of the weights as they are stored, and of their scale
// (docs/theory/structured.md).
template <class T>
double product_error(const Structure<T>& structure, int64_t neuron, double largest_norm);

// products (n, width) with the samples x, which have no more than `size` columns.
template <class T>
void structured_products(const Structure<T>& structure, const Rows<const T>& x, T* products);

// Writes the lines of the samples [first, first + count) in a table of the drift index with n_tabled blocks,
// whose position p stands for neuron order[p]. They hold for weights that lie up to lost[r] from neuron r.
template <class T>
void structured_lines(const Structure<T>& structure, const int32_t* order, const Rows<const T>& x,
                      const T* inverse_norms, T threshold, const double* lost, int64_t first, int64_t count,
                      double largest_norm, const DistanceCode& code, int64_t n_tabled,
                      const CodeTable& table);

}  // namespace fewfire
