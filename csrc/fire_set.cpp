#include "fire_set.h"

#include <algorithm>

#include "fire_search.h"

namespace fewfire {
namespace {

constexpr int64_t kChunk = 48;  // samples multiplied with a packed block before they are filtered

}  // namespace

template <class T>
void PackedBlock<T>::pack(const T* const* rows, int64_t lanes, int64_t stride) {
  columns.resize(stride * kBlock);
  if (lanes < kBlock) std::fill(columns.begin(), columns.end(), T{0});
  std::fill(norms, norms + kBlock, 0.0);
  // Eight rows at a time: whole cache lines are read and nearly whole ones written.
  for (int64_t lane = 0; lane < lanes; lane += 8) {
    const int64_t width = std::min<int64_t>(8, lanes - lane);
    for (int64_t f = 0; f < stride; ++f) {
      for (int64_t l = 0; l < width; ++l) {
        const T value = rows[lane + l][f];
        columns[f * kBlock + lane + l] = value;
        norms[lane + l] += static_cast<double>(value) * value;
      }
    }
  }
  for (int64_t lane = 0; lane < lanes; ++lane) norms[lane] = std::sqrt(norms[lane]) * (1 + 1e-9);
}

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

template <class T>
FireSet<T> screened_fire_set(const ScreenedWeights& screened, const Weights<T>& w, const Samples<T>& x,
                             T threshold, FireWork& work) {
  FireSearch<T> search(w, x, threshold, work);
  const ScreenedInputs<T> inputs(screened.columns, x.rows);
  const float ceiling = round_down<float>(threshold - 1e-37);   // underflow, where the threshold is 0
  constexpr float no_norms[kChunk] = {}, no_band[kBlock] = {};  // the bounds hold them already
  parallel_for(search.blocks(), [&](int64_t block) {
    search.search(
        block,
        [&](int64_t, Scratch<T>& s) {
          float bounds[kChunk * kBlock];
          for (int64_t i = 0; i < x.count(); i += kChunk) {
            const int64_t count = std::min(kChunk, x.count() - i);
            screened_bounds(screened, block, inputs, i, count, bounds);
            kernels<float>().above(bounds, no_norms, count, ceiling, no_band, s.masks.data() + i);
          }
        },
        [](int64_t, int32_t*, int64_t count) { return count; });
    work.near[block] = work.dots[block];
  });
  return search.finish();
}

#define FEWFIRE_INSTANTIATE(T)                                                                           \
  template struct PackedBlock<T>;                                                                        \
  template double largest_norm(const Samples<T>&);                                                       \
  template void propose_all(int64_t, const Weights<T>&, const Samples<T>&, double, T, Scratch<T>&);      \
  template FireSet<T> exhaustive_fire_set(const Weights<T>&, const Samples<T>&, T, FireWork&);           \
  template FireSet<T> screened_fire_set(const ScreenedWeights&, const Weights<T>&, const Samples<T>&, T, \
                                        FireWork&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
