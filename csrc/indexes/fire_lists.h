// Who may fire on what, over a whole training set: the samples of each neuron, and the neurons of each
// sample. The second of the paper's algorithms keeps both (docs/theory/data_tree.md).
#pragma once

#include <cstdint>
#include <vector>

#include "indexes/proposals.h"

namespace fewfire {

class FireLists {
 public:
  FireLists(int64_t n_neurons, int64_t n_samples) : by_neuron_(n_neurons), by_sample_(n_samples) {}

  const std::vector<int32_t>& of_neuron(int64_t r) const { return by_neuron_[r]; }
  const std::vector<int32_t>& of_sample(int64_t i) const { return by_sample_[i]; }
  int64_t bytes() const;

  // The samples of `neurons`, ascending, become those of the lists, in their order; of the others nothing
  // changes.
  void replace(const int32_t* neurons, int64_t count, const Proposals& lists);

  // The pairs of a batch, by neuron: `begins` (m + 1), and the positions in the batch.
  std::vector<int32_t> of_batch(const int32_t* ids, int64_t count, int64_t* begins) const;

 private:
  std::vector<std::vector<int32_t>> by_neuron_, by_sample_;  // each ascending
};

}  // namespace fewfire
