// The backward pass of a layer whose inputs are sparse, and its step: over pairs of a firing output and a
// firing input. All sums have an order that depends on the shapes alone.
#pragma once

#include <cstdint>
#include <vector>

#include "core/fire_set.h"
#include "core/rows.h"
#include "core/sparse_inputs.h"

namespace fewfire {

// The columns of the weights, in parts of a page each: so many of 64 rows stay in the second cache, as they
// are and transposed. Of each sample, where the features of each part begin.
template <class T>
class ColumnParts {
 public:
  static constexpr int64_t kColumns = 4096 / sizeof(T);

  ColumnParts(const SparseInputs<T>& x, int64_t n_columns);

  int64_t count() const { return count_; }
  int64_t first(int64_t part) const { return part * kColumns; }
  int64_t columns(int64_t part) const;
  const int64_t* begins(int64_t part) const { return begins_.data() + part * n_samples_; }
  const int64_t* ends(int64_t part) const { return begins(part + 1); }

 private:
  const int64_t n_columns_, n_samples_, count_;
  std::vector<int64_t> begins_;  // (count + 1, n_samples)
};

// pulls[j] = scale <a_r, residual_i> for each pair: the derivative by the pre-activations of the last layer.
template <class T>
void output_pulls(const FireView<T>& fires, const Rows<const T>& a, const Rows<const T>& residual, T scale,
                  T* pulls);

// a_r -= rate sum_i (z_ri - threshold) residual_i over the samples i that r fires on.
template <class T>
void move_outputs(const FireView<T>& fires, const Rows<const T>& residual, T threshold, T rate,
                  const Rows<T>& a);

// gradients[p] = sum_r pulls_ri w_r[ids[p]] over the neurons r that fire on the sample i of p, ascending in
// groups: the derivative by the inputs that fire.
template <class T>
void sparse_gradients(const FireView<T>& fires, const T* pulls, const Rows<const T>& w,
                      const SparseInputs<T>& x, T* gradients);

// A step of a layer, decided but not yet taken: it moves each neuron r that fired by -rate sum_i pulls_ri
// x_i, a multiply-add for each feature of each sample, samples ascending.
template <class T>
struct SparseDescent {
  FireView<T> fires;
  const T* pulls;  // of each pair
  SparseInputs<T> x;
  T rate;
  Rows<T> w;

  // Moves a part of the columns of the neurons of a block.
  void move_part(const ColumnParts<T>& parts, int64_t block, int64_t part) const;
};

// Moves all neurons.
template <class T>
void backward(const SparseDescent<T>& descent);

}  // namespace fewfire
