// Who fires? The index proposes, a block of 64 neurons at a time; the shared dot kernel decides.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels.h"
#include "rows.h"
#include "screened.h"

namespace fewfire {

// All pairs that fire, by neuron: those of neuron r are [begins[r], begins[r + 1]), samples ascending.
template <class T>
struct FireSet {
  std::unique_ptr<int64_t[]> begins;   // (m + 1)
  std::unique_ptr<int32_t[]> samples;  // positions in the batch
  std::unique_ptr<T[]> values;         // pre-activations
};

// What the answer cost, by block of neurons.
struct FireWork {
  std::vector<int64_t> near;   // pairs that passed the index's first filter
  std::vector<int64_t> dots;   // pairs that the shared dot kernel had to decide
  std::vector<int64_t> fired;  // pairs that fired
};

// A block of 64 rows, transposed for block_products, with a bound on each row's rounding error.
template <class T>
struct PackedBlock {
  std::vector<T> columns;  // (stride, 64)
  double norms[kBlock];    // |w|, computed in float64
  void pack(const Rows<const T>& w, int64_t block);
};

// Every pair is looked at: one blocked GEMM, then a filter as wide as the rounding error.
template <class T>
FireSet<T> exhaustive_fire_set(const Rows<const T>& w, const Rows<const T>& x, const T* x_norms, T threshold,
                               FireWork& work);

// What the drift index knows of the neurons, in its own order (drift.h; docs/theory/drift_index.md). The
// weights it is asked with are rows in that order too; fire sets never are.
template <class T>
struct DriftFilter {
  const uint8_t* table;  // (n_tabled, n_samples, 64) distance codes
  int64_t n_tabled;      // blocks that have a table; the others are searched exhaustively
  int64_t n_samples;
  const uint8_t* reach;     // (blocks, 64): codes up to this may fire
  Rows<const T> sketch;     // (m, k) P D; k = 0: no sketch filter
  const T* sketch_bounds;   // (m, 2): |D perp|, slack
  const T* code_distances;  // (256) the distance that a code proves
};

// A batch as the drift index needs it.
template <class T>
struct DriftBatch {
  const int32_t* ids;    // (batch) rows of the table
  Rows<const T> sketch;  // (batch, k) P x
  const T* perps;        // (batch) |x perp|
};

template <class T>
FireSet<T> drift_fire_set(const DriftFilter<T>& filter, const DriftBatch<T>& batch, const Rows<const T>& w,
                          const Rows<const T>& x, const T* x_norms, T threshold, FireWork& work);

// Every pair is looked at in eight bits; those whose upper bound lies above the threshold are decided.
template <class T>
FireSet<T> screened_fire_set(const ScreenedWeights& screened, const Rows<const T>& w, const Rows<const T>& x,
                             T threshold, FireWork& work);

}  // namespace fewfire
