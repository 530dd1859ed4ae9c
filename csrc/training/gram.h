// Products of the tangent kernel's Gram matrix, over a fire set.
#pragma once

#include <cstdint>

#include "core/fire_set.h"
#include "core/rows.h"
#include "core/sparse_inputs.h"
#include "kernels/samples.h"

namespace fewfire {

// gram[i, j] = sum_r weights[r] u_ri u_rj over the neurons that fire on both, u = 1 or (<w_r, x_i> - b).
template <class T>
void fire_gram(const FireView<T>& fires, const double* weights, int64_t n_neurons, int64_t n_samples,
               T threshold, bool activations, double* gram);

// Bit r of row i of `bits` (n_samples, words): whether neuron r fires on sample i. `bits` holds zeros.
template <class T>
void fire_bits(const FireView<T>& fires, int64_t n_neurons, const Rows<uint64_t>& bits);

// counts[i, j]: the bits that are set in row i of a and in row j of b.
void common_counts(const Rows<const uint64_t>& a, const Rows<const uint64_t>& b, float* counts);

// counts[i, j]: the neurons that fire on both.
template <class T>
void fire_counts(const FireView<T>& fires, int64_t n_neurons, int64_t n_samples, double* counts);

// products[p] = <w_r, x_i> of any rows w, for each pair p = (r, i) that fires.
template <class T>
void fire_dots(const FireView<T>& fires, const Rows<const T>& w, const Samples<T>& x, T* products);

// The same of the rows w_r = sum_j pulls_rj x_j, over the samples that r fires on.
template <class T>
void gram_dots(const FireView<T>& fires, int64_t n_neurons, const T* pulls, const Samples<T>& x, T* products);

// The same two for inputs that are sparse.
template <class T>
void sparse_dots(const FireView<T>& fires, const Rows<const T>& w, const SparseInputs<T>& x, T* products);
template <class T>
void sparse_gram_dots(const FireView<T>& fires, int64_t n_neurons, const T* pulls, int64_t n_features,
                      const SparseInputs<T>& x, T* products);

}  // namespace fewfire
