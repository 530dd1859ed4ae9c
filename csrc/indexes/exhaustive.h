// The search that looks at every pair: one blocked GEMM, then a filter as wide as the rounding error.
#pragma once

#include <cstdint>

#include "core/fire_set.h"
#include "indexes/fire_search.h"
#include "kernels/samples.h"
#include "networks/weights.h"

namespace fewfire {

template <class T>
FireSet<T> exhaustive_fire_set(const Weights<T>& w, const Samples<T>& x, T threshold, FireWork& work);

// The largest of the norms, which are upper bounds.
template <class T>
double largest_norm(const Samples<T>& x);

// Proposes every pair whose product, within its rounding error, may exceed the threshold.
template <class T>
void propose_all(int64_t block, const Weights<T>& w, const Samples<T>& x, double largest_norm, T threshold,
                 Scratch<T>& s);

}  // namespace fewfire
