// Sums over neurons in an order that depends on the shapes alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/pool.h"
#include "core/rows.h"

namespace fewfire {

// Sums over neurons are partial sums over groups of them, then over the groups in pairs, pairs of pairs and
// so on. As many groups, 1, 2, 4 .., as keep the partial sums within 16 million numbers: a function of the
// shapes alone.
inline int64_t groups_of(int64_t neurons, int64_t size, int64_t most) {
  const int64_t fit = std::min((neurons + 63) / 64, (int64_t{1} << 24) / std::max<int64_t>(size, 1));
  int64_t groups = 1;
  while (2 * groups <= std::min(most, fit)) groups *= 2;
  return groups;
}

// Adds up `count` rows of `size` numbers, `pitch` apart, in pairs, pairs of pairs and so on: the sum is left
// in the first. So 2^k rows side by side come to their own sum before they meet others.
template <class T>
void add_in_pairs(T* rows, int64_t count, int64_t pitch, int64_t size) {
  for (int64_t apart = 1; apart < count; apart *= 2)
    for (int64_t g = 0; g + apart < count; g += 2 * apart) {
      T* sum = rows + g * pitch;
      const T* other = sum + apart * pitch;
      for (int64_t i = 0; i < size; ++i) sum[i] += other[i];
    }
}

// out = scale * sum_r of what add(r, partial) adds to rows of the shape of `out`.
template <class T, class Add>
void sum_over_neurons(int64_t neurons, int64_t groups, T scale, const Rows<T>& out, Add add) {
  const int64_t size = out.count * out.stride;
  static thread_local std::vector<T> kept;  // fresh memory would cost more than the sums
  kept.resize(std::max<size_t>(kept.size(), groups * size));
  T* partial = kept.data();
  const int64_t group = (neurons + groups - 1) / groups;
  parallel_for(groups, [&](int64_t g) {
    std::fill_n(partial + g * size, size, T{0});
    const int64_t end = std::min((g + 1) * group, neurons);
    for (int64_t r = g * group; r < end; ++r) add(r, partial + g * size);
  });
  constexpr int64_t strip = 256;  // of all groups, within the cache
  parallel_for((size + strip - 1) / strip, [&](int64_t task) {
    const int64_t first = task * strip, count = std::min(strip, size - first);
    add_in_pairs(partial + first, groups, size, count);
    for (int64_t i = 0; i < count; ++i) out.data[first + i] = scale * partial[first + i];
  });
}

}  // namespace fewfire
