// Pairs that an index proposes, as lists or as bits; the shared dot kernel decides them.
#pragma once

#include <cstdint>

#include "core/fire_set.h"
#include "kernels/samples.h"
#include "networks/weights.h"

namespace fewfire {

// Those of neuron r are [begins[r], begins[r + 1]), in any order.
struct Proposals {
  const int64_t* begins;   // (m + 1)
  const int32_t* samples;  // positions in the batch
};

// Row i has a bit for each neuron: bit r % 64 of word r / 64.
struct ProposedBits {
  const uint64_t* rows;  // (n, words)
  int64_t words;
};

// The proposed pairs that fire.
template <class T>
FireSet<T> proposed_fire_set(const Proposals& proposals, const Weights<T>& w, const Samples<T>& x,
                             T threshold, FireWork& work);
template <class T>
FireSet<T> proposed_fire_set(const ProposedBits& proposals, const Weights<T>& w, const Samples<T>& x,
                             T threshold, FireWork& work);

}  // namespace fewfire
