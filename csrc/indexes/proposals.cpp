#include "indexes/proposals.h"

#include <algorithm>

#include "indexes/fire_search.h"

namespace fewfire {

template <class T>
FireSet<T> proposed_fire_set(const Proposals& proposals, const Weights<T>& w, const Samples<T>& x,
                             T threshold, FireWork& work) {
  FireSearch<T> search(w, x, threshold, work);
  parallel_for(search.blocks(), [&](int64_t block) {
    search.search_lists(block, [&](int64_t r, int32_t* ids) {
      const int64_t count = proposals.begins[r + 1] - proposals.begins[r];
      std::copy_n(proposals.samples + proposals.begins[r], count, ids);
      if (!std::is_sorted(ids, ids + count)) std::sort(ids, ids + count);
      return count;
    });
    work.near[block] = work.dots[block];
  });
  return search.finish();
}

template <class T>
FireSet<T> proposed_fire_set(const ProposedBits& proposals, const Weights<T>& w, const Samples<T>& x,
                             T threshold, FireWork& work) {
  FireSearch<T> search(w, x, threshold, work);
  parallel_for(search.blocks(), [&](int64_t block) {
    search.search(
        block,
        [&](int64_t, Scratch<T>& s) {
          for (int64_t i = 0; i < x.count(); ++i) s.masks[i] = proposals.rows[i * proposals.words + block];
        },
        [](int64_t, int32_t*, int64_t count) { return count; });
    work.near[block] = work.dots[block];
  });
  return search.finish();
}

#define FEWFIRE_INSTANTIATE(T)                                                                        \
  template FireSet<T> proposed_fire_set(const Proposals&, const Weights<T>&, const Samples<T>&, T,    \
                                        FireWork&);                                                   \
  template FireSet<T> proposed_fire_set(const ProposedBits&, const Weights<T>&, const Samples<T>&, T, \
                                        FireWork&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
