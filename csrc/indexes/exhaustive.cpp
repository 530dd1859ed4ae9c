#include "indexes/exhaustive.h"

#include <algorithm>
#include <limits>

#include "indexes/fire_search.h"

namespace fewfire {
namespace {

constexpr int64_t kChunk = 48;  // samples multiplied with a packed block before they are filtered

}  // namespace

template <class T>
double largest_norm(const Samples<T>& x) {
  double out = 0;
  for (int64_t i = 0; i < x.count(); ++i) out = std::max(out, static_cast<double>(x.norms[i]));
  return out;
}

template <class T>
void propose_all(int64_t block, const Weights<T>& w, const Samples<T>& x, double largest_norm, T threshold,
                 Scratch<T>& s) {
  const T* rows[kBlock];
  const int64_t lanes = w.block(block, s.rows, rows);
  s.block.pack(rows, lanes, w.stride());
  T band[kBlock];
  for (int64_t lane = 0; lane < kBlock; ++lane) {
    const double norm = s.block.norms[lane];
    band[lane] = norm * largest_norm < kSafeProduct<T>
                     ? round_up<T>(2 * rounding<T>(w.stride()) * norm)
                     : std::numeric_limits<T>::quiet_NaN();  // compares as neither: all are proposed
  }
  const T ceiling = threshold - static_cast<T>(1e-37);  // underflow, where the threshold is 0
  s.products.resize(kChunk * kBlock);
  const Kernels<T>& kernel = kernels<T>();
  for (int64_t i = 0; i < x.count(); i += kChunk) {
    const int64_t count = std::min(kChunk, x.count() - i);
    kernel.block_products(s.block.columns.data(), x.rows[i], w.stride(), count, s.products.data());
    kernel.above(s.products.data(), x.norms + i, count, ceiling, band, s.masks.data() + i);
  }
}

template <class T>
FireSet<T> exhaustive_fire_set(const Weights<T>& w, const Samples<T>& x, T threshold, FireWork& work) {
  FireSearch<T> search(w, x, threshold, work);
  const double norm = largest_norm(x);
  parallel_for(search.blocks(), [&](int64_t block) {
    search.search(
        block, [&](int64_t b, Scratch<T>& s) { propose_all(b, w, x, norm, threshold, s); },
        [](int64_t, int32_t*, int64_t count) { return count; });
    work.near[block] = work.dots[block];
  });
  return search.finish();
}

#define FEWFIRE_INSTANTIATE(T)                                                                      \
  template double largest_norm(const Samples<T>&);                                                  \
  template void propose_all(int64_t, const Weights<T>&, const Samples<T>&, double, T, Scratch<T>&); \
  template FireSet<T> exhaustive_fire_set(const Weights<T>&, const Samples<T>&, T, FireWork&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
