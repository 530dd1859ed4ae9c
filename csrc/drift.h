// The drift index: what it remembers, and the proof of how long the memory stays valid
// (docs/theory/drift_index.md gives the derivation and names the same quantities).
#pragma once

#include <cstdint>

#include "rows.h"

namespace fewfire {

// The code of a distance to firing: 0 says nothing; code c > 0 proves a distance of at least
// (c - 1 - zero) / resolution. `zero` codes are kept for pairs that already fire by a little.
struct DistanceCode {
  double resolution;
  double zero;
};

// How far one neuron has moved since its line of the table was written: all are proven upper bounds.
struct Drift {
  double reference_norm;  // |w at the reference|
  double measured;        // |D| when last measured
  double path;            // length of the way since
  double measured_perp;   // the part of |D| outside the sketch, when last measured
  double path_perp;       // and of the way since
  double sketch_error;    // |P D - its tracked value|
};

// A step that moved neuron r by sum_j coefficients[j] x[samples[j]], j in [begins[r], begins[r + 1]),
// and by no more than lengths[r].
template <class T>
struct Step {
  const int64_t* begins;
  const int32_t* samples;
  const T* coefficients;
  const double* lengths;
};

// The rows of all arrays are those of the neurons that have a table, in the order of the index: whole blocks,
// from the first on. The weights are given as rows in that order.
template <class T>
struct DriftState {
  uint8_t* table;       // (n_tabled, n_samples, 64) distance codes
  Rows<T> reference;    // (m, d) w at the reference
  Drift* drift;         // (m)
  Rows<T> sketch;       // (m, k) P D, tracked
  T* sketch_bounds;     // (m, 2): |D perp|, slack
  uint8_t* reach;       // (m up to whole blocks): codes up to this may fire
  double largest_norm;  // of the samples
  DistanceCode code;
};

// Makes the present weights of `blocks` their reference: writes their lines of the table and forgets
// their drift.
template <class T>
void drift_refresh(const DriftState<T>& state, const Rows<const T>& w, const Rows<const T>& x,
                   const T* inverse_norms, T threshold, const int64_t* blocks, int64_t n_blocks);

// Takes in a step, measures the drift anew where the way has become long, and sets the bounds that the
// filters use. Returns how many neurons were measured.
template <class T>
int64_t drift_moved(const DriftState<T>& state, const Step<T>& step, const Rows<const T>& w,
                    const Rows<const T>& batch_sketch, const T* batch_norms);

}  // namespace fewfire
