// The forward and the backward pass over a fire set. All sums have an order that depends on the shapes
// alone: the same bits with any index and any number of threads.
#pragma once

#include <cstdint>

#include "rows.h"

namespace fewfire {

template <class T>
struct FireView {
  const int64_t* begins;
  const int32_t* samples;
  const T* values;
};

// outputs[i] = scale * sum_r a_r (<w_r, x_i> - b) over the neurons that fire on i.
template <class T>
void forward(const FireView<T>& fires, const Rows<const T>& a, T threshold, T scale, const Rows<T>& outputs);

// Moves each neuron that fired by -rate * scale * sum_i <a_r, residual_i> x_i, and, where a_rate > 0, its
// output weights by -a_rate * scale * sum_i (<w_r, x_i> - b) residual_i. Writes the coefficient of each
// pair and an upper bound on the length of each neuron's move.
template <class T>
void backward(const FireView<T>& fires, const Rows<const T>& residual, const Rows<const T>& x, T threshold,
              T scale, T rate, T a_rate, const Rows<T>& w, const Rows<T>& a, T* coefficients,
              double* lengths);

// gram[i, j] = sum_r u_ri u_rj over the neurons that fire on both, u = 1 or (<w_r, x_i> - b).
template <class T>
void fire_gram(const FireView<T>& fires, int64_t n_neurons, int64_t n_samples, T threshold, bool activations,
               double* gram);

}  // namespace fewfire
