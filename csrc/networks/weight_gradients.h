// The gradient by the weights, where it is wanted as an array and not as a step.
#pragma once

#include "core/fire_set.h"
#include "core/rows.h"
#include "kernels/samples.h"

namespace fewfire {

// gradients[r * n_features + f] = scale * sum_i <a_r, residual_i> x_if over the samples that r fires on, 0
// where it fires on none. Summed as a step sums it.
template <class T>
void weight_gradients(const FireView<T>& fires, const Rows<const T>& a, const Rows<const T>& residual,
                      const Samples<T>& x, T scale, int64_t n_features, T* gradients);

}  // namespace fewfire
