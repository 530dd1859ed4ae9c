// Correlation trees: upper bounds on the inner products <w_r, x_i> of every neuron with every sample, as the
// leaves of max-trees. Only branches above the threshold are followed (docs/theory/correlation_trees.md).
#pragma once

#include <cstdint>

#include "core/fire_set.h"
#include "core/rows.h"
#include "kernels/samples.h"
#include "networks/descent.h"
#include "networks/weights.h"

namespace fewfire {

// `width` max-trees side by side. Node p of all is one row, and its children are the rows 2p and 2p + 1; the
// root is row 1, leaf j row leaves + j. Any number of leaves makes such a tree.
template <class T>
struct Forest {
  T* nodes;  // (2 leaves, width)
  int64_t leaves, width;

  T* operator[](int64_t p) const { return nodes + p * width; }
  T* leaf(int64_t j) const { return nodes + (leaves + j) * width; }
  void refresh(int64_t p) const;
};

// Of a neuron's row of correlations c_i: <w, x_i> + e |x_i| <= c_i <= <w, x_i> + spread |x_i|, or c_i is
// infinite, with e what the shared dot kernel may lose. So whatever fires lies above the threshold.
struct Correlations {
  double norm;  // at least |w|
  double spread;
};

template <class T>
struct CorrelationTrees {
  bool
      by_sample;  // one tree a sample, its leaves the neurons; else one tree a neuron, its leaves the samples
  int64_t n_neurons;
  int64_t stride;      // length of a neuron's row of correlations: whole vectors
  T* nodes;            // by sample (2 neurons in whole blocks, stride), or (neurons, 2 stride)
  Correlations* rows;  // (neurons)
  Rows<const T> gram;  // (n + 1, n): <x_i, x_j>, then |x_j|; no data: not kept
  double gram_error;   // of its products, beside the norms of both samples
  double largest_norm;

  int64_t blocks() const { return (n_neurons + kBlock - 1) / kBlock; }
  Forest<T> of_samples() const { return {nodes, blocks() * kBlock, stride}; }
  Forest<T> of_neuron(int64_t r) const { return {nodes + r * 2 * stride, stride, 1}; }
  T* row(int64_t r) const { return by_sample ? of_samples().leaf(r) : of_neuron(r).leaf(0); }
};

struct CorrelationWork {
  int64_t recomputed = 0;     // pairs, by the shared dot kernel
  int64_t gram_products = 0;  // multiply-adds
  int64_t maxima = 0;         // inner nodes written again
};

// Recomputes all correlations.
template <class T>
CorrelationWork correlation_refresh(const CorrelationTrees<T>& trees, const Weights<T>& w,
                                    const Samples<T>& x);

// Takes in a step that moved neurons, none of which coasts: each by the cheaper of two ways, through the Gram
// matrix or anew from all samples x. `ids` are those of the samples of the step.
template <class T>
CorrelationWork correlation_moved(const CorrelationTrees<T>& trees, const Step<T>& step, const int32_t* ids,
                                  const Weights<T>& w, const Samples<T>& x);

// Who fires on a batch of the samples, by their ids; `compared` counts the nodes met with the threshold.
template <class T>
FireSet<T> correlation_fire_set(const CorrelationTrees<T>& trees, const Samples<T>& batch, const int32_t* ids,
                                const Weights<T>& w, T threshold, FireWork& work, int64_t& compared);

}  // namespace fewfire
