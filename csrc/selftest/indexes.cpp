// The lists of who may fire on what, and columns of the table.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "core/pool.h"
#include "indexes/fire_lists.h"
#include "kernels/code_table.h"
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

void check_code_table() {
  std::mt19937 random(5);
  for (int64_t line_bytes : {kBlock, kBlock / 2}) {
    where = "code table, " + std::to_string(line_bytes) + " bytes per line";
    constexpr int64_t blocks = 3, n = 1500, columns = blocks * kBlock;
    std::vector<uint8_t> data(blocks * n * line_bytes), reach(columns, 2), silent(columns);
    const CodeTable table{data.data(), n, line_bytes};
    const auto column = [&](int64_t c) { return CodeColumn(table, c / kBlock, c % kBlock); };
    const auto is_silent = [&](int64_t c) {
      int least = column(c)[0];
      for (int64_t s = 0; s < n; ++s) least = std::min(least, column(c)[s]);
      return least > reach[c];
    };
    for (int64_t c = 0; c < columns; ++c)
      for (int64_t s = 0; s < n; ++s) column(c).set(s, static_cast<int>(random() % 13 + (c % 3 ? 3 : 0)));
    beyond_reach(table, blocks, reach.data(), silent.data());
    bool same = true;
    for (int64_t c = 0; c < columns; ++c) same &= silent[c] == is_silent(c);
    check(same, "who is beyond reach everywhere");

    const std::vector<int64_t> from{columns - 1, columns - 5, 70}, to{0, 3, 33};
    copy_columns(table, from.data(), to.data(), 3);
    for (size_t j = 0; j < from.size(); ++j)
      for (int64_t s = 0; s < n; ++s) same &= column(from[j])[s] == column(to[j])[s];
    check(same, "columns are copied");
  }
}

}  // namespace fewfire::selftest
