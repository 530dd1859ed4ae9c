// The forward and the backward pass over a fire set. All sums have an order that depends on the shapes
// alone: the same bits with any index and any number of threads.
#pragma once

#include <cstdint>

#include "core/fire_set.h"
#include "core/rows.h"
#include "kernels/samples.h"
#include "networks/weights.h"

namespace fewfire {

// outputs[i] = scale * sum_r a_r (<w_r, x_i> - b) over the neurons that fire on i.
template <class T>
void forward(const FireView<T>& fires, const Rows<const T>& a, T threshold, T scale, const Rows<T>& outputs);

// How many groups of neurons those sums are made of, for outputs of so many numbers.
int64_t output_groups(int64_t neurons, int64_t size);

// The part that these neurons have in outputs, as so many of their groups, unscaled. Sums over 2^k groups
// side by side, added up in pairs, are those of the whole.
template <class T>
void forward_groups(const FireView<T>& fires, const Rows<const T>& a, T threshold, int64_t groups,
                    const Rows<T>& sums);

// gradients[i] = scale * sum_r <a_r, residual_i> w_r over the neurons that fire on i: the derivative of the
// loss by the inputs.
template <class T>
void input_gradients(const FireView<T>& fires, const Rows<const T>& a, const Rows<const T>& residual,
                     const Weights<T>& w, T scale, const Rows<T>& gradients);

// The outputs of `forward` from all pairs, bit for bit, without a search: faster where much fires.
template <class T>
void forward_of_all(const Rows<const T>& w, const Rows<const T>& x, T threshold, T scale,
                    const Rows<const T>& a, int64_t n_outputs, const Rows<T>& outputs);

// A step of gradient descent, decided but not yet taken. It moves each neuron that fired by
// -rate * scale * sum_i <a_r, residual_i> x_i, and, where a_rate > 0, its output weights by
// -a_rate * scale * sum_i (<w_r, x_i> - b) residual_i. Where pulls are given, the neurons of a layer below
// others move by -rate * sum_i pulls_ri x_i.
//
// Where weights coast, those are the moves of the velocities, and the weights move by `gain` times as much;
// all coasts to the present first (the output weights, which are few, at each step). Neurons that do not fire
// are left as they are, to coast.
template <class T>
struct Descent {
  FireView<T> fires;
  Rows<const T> residual;
  Samples<T> x;
  T threshold, scale, rate, a_rate;
  Rows<T> w, a;
  T* coefficients;  // of each pair: written
  double* lengths;  // an upper bound on how far each neuron was moved: written
  Coast<T> coast{};
  Rows<T> a_velocity{};  // no data: no momentum
  Flow flow = kNoFlow;   // of this step
  T gain = 1;
  const T* pulls = nullptr;  // of each pair; null: those of the outputs

  // Moves the neurons that stand at the 64 positions of a block (in the given order, or their own).
  void move_block(const int32_t* order, int64_t block) const;

 private:
  void move(int64_t r, int64_t next) const;  // neuron r; `next` is the one whose turn comes then
  void coast_to_now(int64_t r) const;
  void coast_output(int64_t r) const;
};

// A step that moved neuron r by gain * sum_j coefficients[j] x[samples[j]], j in [begins[r], begins[r + 1]),
// and by no more than lengths[r]. Where weights coast: beside that, and its velocity without the gain.
template <class T>
struct Step {
  const int64_t* begins;
  const int32_t* samples;
  const T* coefficients;
  const double* lengths;
  T gain = 1;
};

// Moves all neurons.
template <class T>
void backward(const Descent<T>& descent);

// Writes all rows as they are now. Time begins anew: from here, nothing has coasted.
template <class T>
void settle(const Rows<T>& w, const Coast<T>& coast);

}  // namespace fewfire
