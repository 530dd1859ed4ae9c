// The drift index: what it remembers, and the proof of how long the memory stays valid
// (docs/theory/drift_index.md gives the derivation and names the same quantities).
#pragma once

#include <cstdint>

#include "core/fire_set.h"
#include "core/rows.h"
#include "kernels/code_table.h"
#include "kernels/words.h"
#include "networks/descent.h"
#include "networks/weights.h"

namespace fewfire {

// How far one neuron has moved since its line of the table was written: all are proven upper bounds.
struct Drift {
  double unit;            // of the words of the reference
  double reference_norm;  // |w at the reference|
  double measured;        // |D| when last measured
  double path;            // length of the way since
  double measured_perp;   // the part of |D| outside the sketch, when last measured
  double path_perp;       // and of the way since
  double sketch_error;    // |P D - its tracked value|
  double bound;           // |D|: measured and travelled since, or put together from its two parts
};

// How one neuron coasts, where weights do: of the time when its rows were last written,
// w = scale w0 + lead V + D and v = lag w0 + V with w0 the reference (docs/theory/momentum.md).
struct Motion {
  double since;  // that time
  double scale, lag, lead;
  double speed, speed_perp;  // upper bounds on |V| and on its part outside the sketch
  double speed_error;        // |P V - its tracked value|
  double scale_now;          // w = scale_now w0 + D, as the filters use it
  double bound_now;          // |D|
};

// What the index knows of the neurons, in its own order: those that have a table, whole blocks, from the
// first on; then those that are searched exhaustively; and last those that are retired, which fire on no
// sample and never move. Weights are given as rows in that order too; fire sets never are.
template <class T>
struct DriftState {
  CodeTable table;          // distance codes
  Rows<int16_t> reference;  // (m, d) w at the reference, in words: the very ones that wrote the table
  Drift* drift;             // (m)
  Rows<T> sketch;           // (m, k) P D, tracked; k = 0: no sketch filter
  T* perps;                 // (m up to whole blocks) |D perp|
  T* slacks;                // likewise: the slack of the sketch filter
  uint8_t* reach;           // likewise: codes up to this may fire
  double largest_norm;      // of the samples
  DistanceCode code;
  int64_t n_searched;          // blocks that are not retired
  Motion* motion = nullptr;    // (m) where weights coast
  Rows<T> velocity_sketch{};   // (m, k) P V, tracked; with momentum
  Rows<const T> directions{};  // (k, d) P; with momentum

  int64_t n_tabled() const { return (reference.count + kBlock - 1) / kBlock; }
};

// A batch as the index needs it.
template <class T>
struct DriftBatch {
  Samples<T> x;
  const int32_t* ids;    // rows of the table
  Rows<const T> sketch;  // (batch, k) P x
  const T* perps;        // |x perp|
};

// Makes the present weights of `blocks` their reference: writes their lines of the table and forgets
// their drift.
template <class T>
void drift_refresh(const DriftState<T>& state, const Weights<T>& w, const WordInputs<T>& x,
                   const T* inverse_norms, T threshold, const int64_t* blocks, int64_t n_blocks);

// Takes in how a step moved the neurons of one block, measures the drift anew where the way has become long,
// and sets the bounds that the filters use. Returns how many neurons were measured.
template <class T>
int64_t drift_moved_block(const DriftState<T>& state, int64_t block, const Step<T>& step, const Weights<T>& w,
                          const DriftBatch<T>& batch);

// The same for all blocks.
template <class T>
int64_t drift_moved(const DriftState<T>& state, const Step<T>& step, const Weights<T>& w,
                    const DriftBatch<T>& batch);

// To be told before all rows are settled.
template <class T>
void drift_settle(const DriftState<T>& state, const Weights<T>& w);

// What a neuron's drift has become since its rows were last written: p D + q V.
struct Glide {
  double p, q;
};
template <class T>
Glide drift_glide(const DriftState<T>& state, const Weights<T>& w, int64_t r) {
  const Motion& m = state.motion[r];
  const Flow f = w.coast.flow(static_cast<int32_t>(m.since));
  return {f.p, f.q + f.p * m.lead};
}

template <class T>
FireSet<T> drift_fire_set(const DriftState<T>& state, const DriftBatch<T>& batch, const Weights<T>& w,
                          T threshold, FireWork& work);

// Takes a step and finds who fires on the next batch, block by block: each weight row is read and written
// once, and asked while it is in cache.
template <class T>
FireSet<T> drift_step(const DriftState<T>& state, const Descent<T>& descent, const DriftBatch<T>& batch,
                      const DriftBatch<T>& next, const int32_t* order, FireWork& work, int64_t& measured);

}  // namespace fewfire
