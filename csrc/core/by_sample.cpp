#include "core/by_sample.h"

#include <algorithm>
#include <vector>

#include "core/pool.h"

namespace fewfire {

void by_sample(const int64_t* neuron_begins, const int32_t* samples, int64_t n_neurons, int64_t n_samples,
               int64_t spare, int64_t* begins, int32_t* neurons, int64_t* places) {
  constexpr int64_t kGroups = 8;  // of neurons, each counted by itself; the places do not depend on them
  const int64_t group = (n_neurons + kGroups - 1) / kGroups;
  std::vector<int64_t> next(kGroups * n_samples, 0);
  const auto each_pair = [&](int64_t g, auto visit) {
    const int64_t end = std::min((g + 1) * group, n_neurons);
    for (int64_t r = std::min(g * group, end); r < end; ++r)
      for (int64_t p = neuron_begins[r]; p < neuron_begins[r + 1]; ++p)
        visit(r, p, next[g * n_samples + samples[p]]);
  };
  parallel_for(kGroups, [&](int64_t g) { each_pair(g, [](int64_t, int64_t, int64_t& count) { ++count; }); });
  int64_t place = 0;
  for (int64_t i = 0; i < n_samples; ++i) {
    begins[i] = place;
    for (int64_t g = 0; g < kGroups; ++g) {
      const int64_t count = next[g * n_samples + i];
      next[g * n_samples + i] = place;
      place += count;
    }
    place += spare;
  }
  begins[n_samples] = place;
  parallel_for(kGroups, [&](int64_t g) {
    each_pair(g, [&](int64_t r, int64_t p, int64_t& free) {
      places[p] = free;
      neurons[free++] = static_cast<int32_t>(r);
    });
  });
}

}  // namespace fewfire
