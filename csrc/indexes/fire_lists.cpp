#include "indexes/fire_lists.h"

#include <algorithm>
#include <iterator>

#include "core/pool.h"
#include "kernels/kernels.h"

namespace fewfire {
namespace {

struct Change {
  int32_t sample, neuron;
  bool comes;
};

// What is in one of two ascending lists and not in the other: leave(x), or come(x) where it is in the second.
template <class Leave, class Come>
void differences(const std::vector<int32_t>& before, const int32_t* now, const int32_t* end, Leave leave,
                 Come come) {
  auto old = before.begin();
  while (old != before.end() || now != end) {
    if (now == end || (old != before.end() && *old < *now)) {
      leave(*old++);
    } else if (old == before.end() || *now < *old) {
      come(*now++);
    } else {
      ++old;
      ++now;
    }
  }
}

}  // namespace

int64_t FireLists::bytes() const {
  int64_t out = 0;
  for (const auto* lists : {&by_neuron_, &by_sample_})
    for (const std::vector<int32_t>& list : *lists)
      out += static_cast<int64_t>(sizeof(list) + list.capacity() * sizeof(int32_t));
  return out;
}

void FireLists::replace(const int32_t* neurons, int64_t count, const Proposals& lists) {
  const int64_t blocks = (count + kBlock - 1) / kBlock;
  std::vector<std::vector<Change>> found(blocks);
  parallel_for(blocks, [&](int64_t block) {
    for (int64_t j = block * kBlock; j < std::min((block + 1) * kBlock, count); ++j) {
      const int32_t r = neurons[j];
      const int32_t *now = lists.samples + lists.begins[j], *end = lists.samples + lists.begins[j + 1];
      differences(
          by_neuron_[r], now, end, [&](int32_t i) { found[block].push_back({i, r, false}); },
          [&](int32_t i) { found[block].push_back({i, r, true}); });
      by_neuron_[r].assign(now, end);
    }
  });

  // The changes by sample: neurons ascend, as they did.
  const auto n = static_cast<int64_t>(by_sample_.size());
  std::vector<int64_t> begins(n + 1);
  for (const std::vector<Change>& changes : found)
    for (const Change& change : changes) ++begins[change.sample + 1];
  for (int64_t i = 0; i < n; ++i) begins[i + 1] += begins[i];
  std::vector<int64_t> ends(begins.begin(), begins.end() - 1);
  std::vector<Change> sorted(begins[n]);
  for (const std::vector<Change>& changes : found)
    for (const Change& change : changes) sorted[ends[change.sample]++] = change;

  parallel_for((n + kBlock - 1) / kBlock, [&](int64_t block) {
    static thread_local std::vector<int32_t> merged;
    for (int64_t i = block * kBlock; i < std::min((block + 1) * kBlock, n); ++i) {
      if (begins[i] == begins[i + 1]) continue;
      merged.clear();
      auto old = by_sample_[i].begin();
      for (int64_t j = begins[i]; j < begins[i + 1]; ++j) {
        const auto place = std::lower_bound(old, by_sample_[i].end(), sorted[j].neuron);
        merged.insert(merged.end(), old, place);
        old = place;
        if (sorted[j].comes)
          merged.push_back(sorted[j].neuron);
        else
          ++old;
      }
      merged.insert(merged.end(), old, by_sample_[i].end());
      by_sample_[i].assign(merged.begin(), merged.end());
    }
  });
}

std::vector<int32_t> FireLists::of_batch(const int32_t* ids, int64_t count, int64_t* begins) const {
  const auto m = static_cast<int64_t>(by_neuron_.size());
  std::fill_n(begins, m + 1, 0);
  for (int64_t j = 0; j < count; ++j)
    for (const int32_t r : by_sample_[ids[j]]) ++begins[r + 1];
  for (int64_t r = 0; r < m; ++r) begins[r + 1] += begins[r];
  std::vector<int64_t> ends(begins, begins + m);
  std::vector<int32_t> positions(begins[m]);
  for (int64_t j = 0; j < count; ++j)
    for (const int32_t r : by_sample_[ids[j]]) positions[ends[r]++] = static_cast<int32_t>(j);
  return positions;
}

}  // namespace fewfire
