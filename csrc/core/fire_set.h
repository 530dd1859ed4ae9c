// Who fires on a batch, and what the answer cost. The index proposes, a block of 64 neurons at a time; the
// shared dot kernel decides.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

namespace fewfire {

// All pairs that fire, by neuron: those of neuron r are [begins[r], begins[r + 1]), samples ascending.
template <class T>
struct FireSet {
  std::unique_ptr<int64_t[]> begins;   // (m + 1)
  std::unique_ptr<int32_t[]> samples;  // positions in the batch
  std::unique_ptr<T[]> values;         // pre-activations
};

template <class T>
struct FireView {
  const int64_t* begins;
  const int32_t* samples;
  const T* values;
};

// What the answer cost, by block of neurons.
struct FireWork {
  std::vector<int64_t> near;      // pairs that passed the index's first filter
  std::vector<int64_t> sketched;  // pairs that met a sketch test
  std::vector<int64_t> dots;      // pairs that the shared dot kernel had to decide
  std::vector<int64_t> fired;     // pairs that fired
  std::vector<int64_t> filter_ns, dot_ns, move_ns, drift_ns;  // where its time went

  void start(int64_t blocks) {
    for (std::vector<int64_t>* counts :
         {&near, &sketched, &dots, &fired, &filter_ns, &dot_ns, &move_ns, &drift_ns})
      counts->assign(blocks, 0);
  }
};

// Nanoseconds since the last lap.
class Stopwatch {
 public:
  int64_t lap() {
    const auto now = std::chrono::steady_clock::now();
    const auto passed = std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_).count();
    last_ = now;
    return passed;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace fewfire
