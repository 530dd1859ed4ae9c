#include "fire_set.h"

#include <algorithm>

#include "pool.h"

namespace fewfire {
namespace {

constexpr int64_t kChunk = 48;  // samples multiplied with a packed block before they are filtered

// Turns a 64 x 64 bit matrix over its diagonal: bit j of a[i] becomes bit i of a[j].
void transpose(uint64_t* a) {
  uint64_t mask = 0x00000000FFFFFFFF;
  for (int j = 32; j != 0; j >>= 1, mask ^= mask << j) {
    for (int k = 0; k < 64; k = (k + j + 1) & ~j) {
      const uint64_t t = ((a[k] >> j) ^ a[k + j]) & mask;
      a[k] ^= t << j;
      a[k + j] ^= t;
    }
  }
}

template <class T>
double largest(const T* values, int64_t count) {
  double out = 0;
  for (int64_t i = 0; i < count; ++i) out = std::max(out, static_cast<double>(values[i]));
  return out;
}

template <class T>
struct Scratch {
  std::vector<uint64_t> masks;  // one bit a neuron, one word a sample; later turned over
  std::vector<int32_t> ids;
  std::vector<T> values, products;
  PackedBlock<T> block;
};

template <class T>
Scratch<T>& scratch() {
  static thread_local Scratch<T> mine;
  return mine;
}

// Proposes every pair whose product, within its rounding error, may exceed the threshold.
template <class T>
void propose_all(int64_t block, const Rows<const T>& w, const Rows<const T>& x, const T* x_norms,
                 double largest_norm, T threshold, Scratch<T>& s) {
  s.block.pack(w, block);
  T band[kBlock];
  for (int64_t lane = 0; lane < kBlock; ++lane) {
    const double norm = s.block.norms[lane];
    band[lane] = norm * largest_norm < kSafeProduct<T>
                     ? round_up<T>(2 * rounding<T>(x.stride) * norm)
                     : std::numeric_limits<T>::quiet_NaN();  // compares as neither: all are proposed
  }
  const T ceiling = threshold - static_cast<T>(1e-37);  // underflow, where the threshold is 0
  s.products.resize(kChunk * kBlock);
  const Kernels<T>& kernel = kernels<T>();
  for (int64_t i = 0; i < x.count; i += kChunk) {
    const int64_t count = std::min(kChunk, x.count - i);
    kernel.block_products(s.block.columns.data(), x[i], x.stride, count, s.products.data());
    kernel.above(s.products.data(), x_norms + i, count, ceiling, band, s.masks.data() + i);
  }
}

// The common part of all indexes that propose by blocks. propose(block, scratch) fills scratch.masks;
// keep(position, ids, count, scratch) may strike out ids and returns how many are left.
template <class T, class Propose, class Keep>
FireSet<T> fire_set(const Rows<const T>& w, const Rows<const T>& x, T threshold, FireWork& work,
                    Propose propose, Keep keep) {
  struct Found {
    std::vector<int32_t> samples;
    std::vector<T> values;
  };
  const int64_t blocks = (w.count + kBlock - 1) / kBlock;
  const int64_t words = (x.count + 63) / 64;
  std::vector<Found> found(blocks);
  work.near.assign(blocks, 0);
  work.dots.assign(blocks, 0);
  work.fired.assign(blocks, 0);
  FireSet<T> out;
  out.begins.reset(new int64_t[w.count + 1]);
  out.begins[0] = 0;

  parallel_for(blocks, [&](int64_t block) {
    Scratch<T>& s = scratch<T>();
    s.masks.resize(words * 64);
    std::fill(s.masks.begin() + x.count, s.masks.end(), 0);
    s.ids.resize(x.count);
    s.values.resize(x.count);
    propose(block, s);
    for (int64_t word = 0; word < words; ++word) transpose(s.masks.data() + word * 64);

    const Kernels<T>& kernel = kernels<T>();
    const int64_t first = block * kBlock;
    const int64_t lanes = std::min(kBlock, w.count - first);
    Found& mine = found[block];
    for (int64_t lane = 0; lane < lanes; ++lane) {
      int64_t near = 0;
      for (int64_t word = 0; word < words; ++word)
        for (uint64_t bits = s.masks[word * 64 + lane]; bits != 0; bits &= bits - 1)
          s.ids[near++] = static_cast<int32_t>(word * 64 + __builtin_ctzll(bits));
      const int64_t left = near > 0 ? keep(first + lane, s.ids.data(), near, s) : 0;
      const T* next = w[std::min(first + lane + 1, w.count - 1)];
      kernel.dots(w[first + lane], next, x.data, x.stride, s.ids.data(), left, s.values.data());
      const size_t before = mine.samples.size();
      mine.samples.resize(before + left);
      mine.values.resize(before + left);
      size_t fired = before;
      for (int64_t j = 0; j < left; ++j) {  // without branches: they could not be foreseen
        mine.samples[fired] = s.ids[j];
        mine.values[fired] = s.values[j];
        fired += s.values[j] > threshold;
      }
      mine.samples.resize(fired);
      mine.values.resize(fired);
      out.begins[w.id(first + lane) + 1] = static_cast<int64_t>(fired - before);
      work.near[block] += near;
      work.dots[block] += left;
    }
  });

  for (int64_t r = 0; r < w.count; ++r) out.begins[r + 1] += out.begins[r];
  out.samples.reset(new int32_t[out.begins[w.count]]);
  out.values.reset(new T[out.begins[w.count]]);
  parallel_for(blocks, [&](int64_t block) {
    const Found& mine = found[block];
    work.fired[block] = static_cast<int64_t>(mine.samples.size());
    const int64_t end = std::min((block + 1) * kBlock, w.count);
    int64_t from = 0;
    for (int64_t position = block * kBlock; position < end; ++position) {
      const int64_t to = out.begins[w.id(position)];
      const int64_t count = out.begins[w.id(position) + 1] - to;
      std::copy_n(mine.samples.begin() + from, count, out.samples.get() + to);
      std::copy_n(mine.values.begin() + from, count, out.values.get() + to);
      from += count;
    }
  });
  return out;
}

}  // namespace

template <class T>
void PackedBlock<T>::pack(const Rows<const T>& w, int64_t block) {
  columns.resize(w.stride * kBlock);
  const int64_t first = block * kBlock;
  const int64_t lanes = std::min(kBlock, w.count - first);
  if (lanes < kBlock) std::fill(columns.begin(), columns.end(), T{0});
  std::fill(norms, norms + kBlock, 0.0);
  // Eight rows at a time: whole cache lines are read and nearly whole ones written.
  for (int64_t lane = 0; lane < lanes; lane += 8) {
    const int64_t width = std::min<int64_t>(8, lanes - lane);
    for (int64_t f = 0; f < w.stride; ++f) {
      for (int64_t l = 0; l < width; ++l) {
        const T value = w[first + lane + l][f];
        columns[f * kBlock + lane + l] = value;
        norms[lane + l] += static_cast<double>(value) * value;
      }
    }
  }
  for (int64_t lane = 0; lane < lanes; ++lane) norms[lane] = std::sqrt(norms[lane]) * (1 + 1e-9);
}

template <class T>
FireSet<T> exhaustive_fire_set(const Rows<const T>& w, const Rows<const T>& x, const T* x_norms, T threshold,
                               FireWork& work) {
  const double largest_norm = largest(x_norms, x.count);
  return fire_set<T>(
      w, x, threshold, work,
      [&](int64_t block, Scratch<T>& s) { propose_all(block, w, x, x_norms, largest_norm, threshold, s); },
      [](int64_t, int32_t*, int64_t count, Scratch<T>&) { return count; });
}

template <class T>
FireSet<T> drift_fire_set(const DriftFilter<T>& filter, const DriftBatch<T>& batch, const Rows<const T>& w,
                          const Rows<const T>& x, const T* x_norms, T threshold, FireWork& work) {
  const double largest_norm = largest(x_norms, x.count);
  const Kernels<T>& kernel = kernels<T>();
  const int64_t line_count = filter.n_samples * kBlock;

  auto propose = [&](int64_t block, Scratch<T>& s) {
    if (block >= filter.n_tabled)
      propose_all(block, w, x, x_norms, largest_norm, threshold, s);
    else
      kernel.within_reach(filter.table + block * line_count, filter.reach + block * kBlock, batch.ids,
                          x.count, s.masks.data());
  };

  // Strikes out the pairs that the sketch bound proves silent.
  auto keep = [&](int64_t position, int32_t* ids, int64_t count, Scratch<T>& s) {
    const int64_t block = position / kBlock;
    if (block >= filter.n_tabled || filter.sketch.stride == 0) return count;
    const uint8_t* column = filter.table + block * line_count + position % kBlock;
    const T perp = filter.sketch_bounds[2 * position];
    const T slack = filter.sketch_bounds[2 * position + 1];
    T* moved = s.values.data();
    kernel.dots(filter.sketch[position], filter.sketch[position + 1], batch.sketch.data, batch.sketch.stride,
                ids, count, moved);
    int64_t left = 0;
    for (int64_t j = 0; j < count; ++j) {
      const int32_t i = ids[j];
      const T distance = filter.code_distances[column[int64_t{batch.ids[i]} * kBlock]];
      const bool silent = moved[j] + perp * batch.perps[i] + slack * x_norms[i] <= distance * x_norms[i];
      ids[left] = i;
      left += !silent;
    }
    return left;
  };
  return fire_set<T>(w, x, threshold, work, propose, keep);
}

template <class T>
FireSet<T> screened_fire_set(const ScreenedWeights& screened, const Rows<const T>& w, const Rows<const T>& x,
                             T threshold, FireWork& work) {
  const ScreenedInputs<T> inputs(screened.columns, x);
  const float ceiling = round_down<float>(threshold - 1e-37);   // underflow, where the threshold is 0
  constexpr float no_norms[kChunk] = {}, no_band[kBlock] = {};  // the bounds hold them already
  return fire_set<T>(
      w, x, threshold, work,
      [&](int64_t block, Scratch<T>& s) {
        float bounds[kChunk * kBlock];
        for (int64_t i = 0; i < x.count; i += kChunk) {
          const int64_t count = std::min(kChunk, x.count - i);
          screened_bounds(screened, block, inputs, i, count, bounds);
          kernels<float>().above(bounds, no_norms, count, ceiling, no_band, s.masks.data() + i);
        }
      },
      [](int64_t, int32_t*, int64_t count, Scratch<T>&) { return count; });
}

#define FEWFIRE_INSTANTIATE(T)                                                                              \
  template struct PackedBlock<T>;                                                                           \
  template FireSet<T> exhaustive_fire_set(const Rows<const T>&, const Rows<const T>&, const T*, T,          \
                                          FireWork&);                                                       \
  template FireSet<T> drift_fire_set(const DriftFilter<T>&, const DriftBatch<T>&, const Rows<const T>&,     \
                                     const Rows<const T>&, const T*, T, FireWork&);                         \
  template FireSet<T> screened_fire_set(const ScreenedWeights&, const Rows<const T>&, const Rows<const T>&, \
                                        T, FireWork&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
