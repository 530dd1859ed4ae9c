// A fire set turned over: the same pairs by sample, neurons ascending.
#pragma once

#include <cstdint>

namespace fewfire {

// By counting. Pair p of the list by neuron goes to places[p] of the list by sample, in which each sample has
// `spare` places more than it has pairs, behind them; begins (n_samples + 1) and neurons are written.
void by_sample(const int64_t* neuron_begins, const int32_t* samples, int64_t n_neurons, int64_t n_samples,
               int64_t spare, int64_t* begins, int32_t* neurons, int64_t* places);

}  // namespace fewfire
