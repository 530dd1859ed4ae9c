// The lists of who may fire on what.
#include <random>
#include <string>
#include <vector>

#include "core/pool.h"
#include "indexes/fire_lists.h"
#include "selftest/checks.h"

namespace fewfire::selftest {

void check_fire_lists() {
  std::mt19937 random(3);
  for (int count : {1, 3}) {
    set_threads(count);
    where = "lists, " + std::to_string(count) + " threads";
    constexpr int64_t m = 150, n = 70;
    FireLists lists(m, n);
    std::vector<std::vector<int32_t>> by_neuron(m);
    for (int round = 0; round < 10; ++round) {
      std::vector<int32_t> neurons, samples;
      std::vector<int64_t> begins{0};
      for (int32_t r = 0; r < m; ++r) {
        if (random() % 3 == 0) continue;
        by_neuron[r].clear();
        for (int32_t i = 0; i < n; ++i)
          if (random() % 8 < static_cast<unsigned>(round)) by_neuron[r].push_back(i);
        neurons.push_back(r);
        samples.insert(samples.end(), by_neuron[r].begin(), by_neuron[r].end());
        begins.push_back(static_cast<int64_t>(samples.size()));
      }
      lists.replace(neurons.data(), static_cast<int64_t>(neurons.size()), {begins.data(), samples.data()});
      std::vector<std::vector<int32_t>> by_sample(n);
      bool same = true;
      for (int32_t r = 0; r < m; ++r) {
        same &= lists.of_neuron(r) == by_neuron[r];
        for (const int32_t i : by_neuron[r]) by_sample[i].push_back(r);
      }
      for (int64_t i = 0; i < n; ++i) same &= lists.of_sample(i) == by_sample[i];
      check(same, "both families of lists hold what they were given");
    }
  }
}

}  // namespace fewfire::selftest
