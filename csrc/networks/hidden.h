// What a layer of a deep network hands to the next: its activations on the unit sphere, by sample.
#pragma once

#include <cstdint>

#include "core/sparse_inputs.h"

namespace fewfire {

// h = share a / |a|, or share a / length where a length > 0 is given. With a constant > 0 each sample ends
// with that one as a further feature.
struct Normalization {
  double length, share, constant;
};

// Writes the values of h: places[p] is where pair p, with pre-activation z[p], stands by sample. `begins` is
// of h, with the constants counted. lengths[i] becomes |a_i|, or what was given; 0 where nothing fires.
template <class T>
void normalize(const T* z, const int64_t* places, int64_t pairs, T threshold, const Normalization& how,
               const int64_t* begins, int64_t n_samples, T* values, double* lengths);

// From the derivative by h, in the order of `hidden`, that by the activations, in its place. The constant has
// none. Sums go over what fires in order, in eight lanes of double.
template <class T>
void normalized_gradients(const SparseInputs<T>& hidden, const double* lengths, const Normalization& how,
                          T* gradients);

}  // namespace fewfire
