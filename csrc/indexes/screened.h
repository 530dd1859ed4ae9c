// Rows in eight bits, and upper bounds on pre-activations from their products (docs/theory/screened.md).
//
// A row is a few columns in float32, of which the inputs have the largest entries (a constant feature), and
// the rest in bytes times a scale of its own. Products of bytes are whole numbers, exact in any order; what
// the bytes and float32 lose is bounded for each row, and those bounds are added to the product. So is how
// far a neuron has moved since its row was rounded: most are rounded again only after many steps.
#pragma once

#include <cstdint>
#include <vector>

#include "core/fire_set.h"
#include "core/rows.h"
#include "kernels/kernels.h"
#include "kernels/samples.h"
#include "networks/weights.h"

namespace fewfire {

// Which columns stay in float32, and of how many the others are.
struct ScreenedColumns {
  const int32_t* floats;  // ascending
  int64_t n_floats;       // kTerms - 4 at the most
  int64_t features;       // bytes a row: the features, rounded up to a multiple of 8
};

// The weights, by blocks of 64 neurons as Kernels::upper_bounds wants them. Their bytes have the levels of
// the instruction set that was in use when they were rounded.
struct ScreenedWeights {
  ScreenedColumns columns;
  int8_t* bytes;     // (blocks, features / 4, 64, 4)
  int32_t* offsets;  // (blocks, 64) what is too much in a product, because the bytes of inputs are not signed
  float* terms;      // (blocks, kTerms, 64)
  double* drifts;    // (m) how far each neuron may have moved since its row was rounded
  double slack;      // beyond which it is rounded anew
};

// Takes in that each neuron moved by its length, and rounds the rows anew whose drift exceeds the slack (all,
// where they coast).
template <class T>
void screened_refresh(const ScreenedWeights& screened, const Weights<T>& w, const double* lengths);

// Inputs in eight bits.
template <class T>
struct ScreenedInputs {
  std::vector<uint8_t> bytes;  // (n, features)
  std::vector<float> terms;    // (n, kTerms)
  ScreenedInputs(const ScreenedColumns& columns, const Rows<const T>& x);
};

// bounds[s * 64 + lane]: what the shared dot kernel may find for neuron `lane` of the block and input
// first + s at the most, but for 1e-37 of underflow. NaN or infinity where nothing is known.
template <class T>
void screened_bounds(const ScreenedWeights& screened, int64_t block, const ScreenedInputs<T>& x,
                     int64_t first, int64_t count, float* bounds);

// Every pair is looked at in eight bits; those whose upper bound lies above the threshold are decided.
template <class T>
FireSet<T> screened_fire_set(const ScreenedWeights& screened, const Weights<T>& w, const Samples<T>& x,
                             T threshold, FireWork& work);

}  // namespace fewfire
