// Sums over neurons in an order that depends on the shapes alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/pool.h"
#include "core/rows.h"

namespace fewfire {

// Sums over neurons are partial sums over groups of them, then over the groups in order. As many groups as
// keep the partial sums within 16 million numbers: a function of the shapes alone.
inline int64_t groups_of(int64_t neurons, int64_t size, int64_t most) {
  return std::max<int64_t>(
      1, std::min<int64_t>({most, (neurons + 63) / 64, (int64_t{1} << 24) / std::max<int64_t>(size, 1)}));
}

// partial[g * size + i]: the sums over each group g of so many neurons, of what add(r, sums) adds for each.
template <class T, class Add>
void sums_of_groups(int64_t neurons, int64_t groups, int64_t size, T* partial, Add add) {
  const int64_t group = (neurons + groups - 1) / groups;
  parallel_for(groups, [&](int64_t g) {
    std::fill_n(partial + g * size, size, T{0});
    const int64_t end = std::min((g + 1) * group, neurons);
    for (int64_t r = g * group; r < end; ++r) add(r, partial + g * size);
  });
}

// out = scale * sum_r of what add(r, partial) adds to rows of the shape of `out`.
template <class T, class Add>
void sum_over_neurons(int64_t neurons, int64_t most_groups, T scale, const Rows<T>& out, Add add) {
  const int64_t size = out.count * out.stride;
  const int64_t groups = groups_of(neurons, size, most_groups);
  static thread_local std::vector<T> kept;  // fresh memory would cost more than the sums
  kept.resize(std::max<size_t>(kept.size(), groups * size));
  T* partial = kept.data();
  sums_of_groups(neurons, groups, size, partial, add);
  constexpr int64_t strip = 1024;
  parallel_for((size + strip - 1) / strip, [&](int64_t task) {
    const int64_t first = task * strip, count = std::min(strip, size - first);
    T sums[strip] = {};
    for (int64_t g = 0; g < groups; ++g)
      for (int64_t i = 0; i < count; ++i) sums[i] += partial[g * size + first + i];
    for (int64_t i = 0; i < count; ++i) out.data[first + i] = scale * sums[i];
  });
}

}  // namespace fewfire
