#include "proposals.h"

#include <algorithm>

#include "fire_search.h"

namespace fewfire {

template <class T>
FireSet<T> proposed_fire_set(const Proposals& proposals, const Weights<T>& w, const Samples<T>& x,
                             T threshold, FireWork& work) {
  FireSearch<T> search(w, x, threshold, work);
  parallel_for(search.blocks(), [&](int64_t block) {
    search.search(
        block,
        [&](int64_t, Scratch<T>& s) {
          std::fill_n(s.masks.begin(), x.count(), 0);
          const int64_t first = block * kBlock, lanes = std::min(kBlock, w.count() - first);
          for (int64_t lane = 0; lane < lanes; ++lane)
            for (int64_t j = proposals.begins[first + lane]; j < proposals.begins[first + lane + 1]; ++j)
              s.masks[proposals.samples[j]] |= uint64_t{1} << lane;
        },
        [](int64_t, int32_t*, int64_t count) { return count; });
    work.near[block] = work.dots[block];
  });
  return search.finish();
}

#define FEWFIRE_INSTANTIATE(T) \
  template FireSet<T> proposed_fire_set(const Proposals&, const Weights<T>&, const Samples<T>&, T, FireWork&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
