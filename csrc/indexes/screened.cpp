#include "indexes/screened.h"

#include <algorithm>
#include <cstring>

#include "core/pool.h"
#include "indexes/fire_search.h"

namespace fewfire {
namespace {

constexpr int64_t kTogether = 16;  // rows of the weights a task: their bytes share cache lines
constexpr int64_t kSamplesPerTask = 64;
constexpr int64_t kChunk = 48;         // samples whose bounds are written before they are filtered
constexpr double kLargestNorm = 1e15;  // products of two such norms, and their squares, stay in float32
constexpr double kSmallest = 1e-10;    // rows without a larger entry count as lost: no scale underflows

// What eight bits keep of a row, and what they lose.
struct Quantised {
  float scale;
  double rest;  // norm of the columns in bytes
  double lost;  // and of what the bytes miss of them
  double norm;  // of the whole row; NaN where nothing may be claimed
  int32_t sum;  // of the bytes
};

// The unsigned byte that stands for 0.
int32_t zero_byte() { return static_cast<int32_t>(kernels<float>().byte_levels) + 1; }

// The most that a byte of the weights may hold, so that the sum of a row's products fits 32 bits.
int64_t most_levels(int64_t features) {
  return std::min<int64_t>(zero_byte() - 1,
                           std::numeric_limits<int32_t>::max() / (3 * zero_byte() * features));
}

template <class T>
Quantised quantise(const ScreenedColumns& columns, const T* row, int64_t stride, int64_t levels,
                   int8_t* bytes) {
  static thread_local std::vector<T> rest;
  rest.assign(row, row + stride);
  double squares_of_floats = 0;
  for (int64_t c = 0; c < columns.n_floats; ++c) {
    const auto value = static_cast<double>(row[columns.floats[c]]);
    squares_of_floats += value * value;
    rest[columns.floats[c]] = 0;
  }
  const Kernels<T>& kernel = kernels<T>();
  const T largest = kernel.largest(rest.data(), stride);
  float scale = 0;
  if (levels > 0 && largest > kSmallest && largest < kLargestNorm)
    scale = static_cast<float>(largest / static_cast<T>(levels));
  Quantised out{scale, norm_above<T>(kernel.squared_norm(rest.data(), stride), stride), 0, 0, 0};
  if (scale > 0) {
    out.sum = kernel.quantise(rest.data(), stride, scale, bytes);
  } else {
    std::fill_n(bytes, stride, int8_t{0});
  }
  out.lost = norm_above<T>(kernel.squared_norm(rest.data(), stride), stride);
  out.norm = std::sqrt(out.rest * out.rest + squares_of_floats) * (1 + 1e-9);
  if (!(out.norm < kLargestNorm)) out.norm = std::numeric_limits<double>::quiet_NaN();
  return out;
}

// Ask for a row that is needed soon: the memory takes as long as the row before it does.
template <class T>
void fetch(const T* row, int64_t stride) {
  for (int64_t f = 0; f < stride; f += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(row + f);
}

}  // namespace

// With |w - w^| = lost_w and the like: <w, x> - <w^, x^> = <w - w^, x> + <w^, x - x^> is at most
// lost_w rest_x + |w^| lost_x. Terms 1 and 2 of a row of the weights are lost_w and |w| + lost_w >= |w^|,
// those of an input rest_x and lost_x plus all rounding, which is relative to |w| |x|. Term 3 is the drift
// since, with what rounding may add to it, and |x|.

template <class T>
void screened_refresh(const ScreenedWeights& screened, const Weights<T>& w, const double* lengths) {
  const ScreenedColumns& columns = screened.columns;
  const int64_t features = columns.features, levels = most_levels(features);
  const double rounded = 1 + rounding<T>(w.stride()) + 2 * rounding<float>(kTerms);
  parallel_for((w.count() + kTogether - 1) / kTogether, [&](int64_t task) {
    static thread_local std::vector<int8_t> bytes;
    static thread_local std::vector<T> room;
    const int64_t first = task * kTogether, last = std::min(first + kTogether, w.count());
    for (int64_t r = first; r < last; ++r) {
      const int64_t block = r / kBlock, lane = r % kBlock;
      float* terms = screened.terms + block * kTerms * kBlock + lane;
      screened.drifts[r] += lengths[r];
      if (!w.coast.on() && screened.drifts[r] <= screened.slack) {
        if (lengths[r] != 0) terms[3 * kBlock] = round_up<float>(screened.drifts[r] * rounded);
        continue;
      }
      room.resize(w.room(1));
      bytes.resize(w.stride());
      int8_t* const mine = bytes.data();  // once: to find what a thread owns takes a call
      const T* row = w.row(r, room.data());
      if (r + 1 < w.count()) fetch(w.stored[r + 1], w.stride());
      const Quantised q = quantise(columns, row, w.stride(), levels, mine);
      screened.offsets[r] = -zero_byte() * q.sum;
      screened.drifts[r] = 0;
      terms[0] = q.scale;
      terms[kBlock] = round_up<float>(q.lost);
      terms[2 * kBlock] = round_up<float>(q.norm + q.lost + kTiny);
      terms[3 * kBlock] = 0;
      for (int64_t c = 0; c < columns.n_floats; ++c)
        terms[(4 + c) * kBlock] = static_cast<float>(row[columns.floats[c]]);
      int8_t* packed = screened.bytes + block * features * kBlock + 4 * lane;
      for (int64_t f = 0; f < features; f += 4) std::memcpy(packed + f * kBlock, mine + f, 4);
    }
  });
}

template <class T>
ScreenedInputs<T>::ScreenedInputs(const ScreenedColumns& columns, const Rows<const T>& x)
    : bytes(x.count * columns.features), terms(x.count * kTerms) {
  // Of the shared dot, and of the kTerms products in float32, whose sizes add up to less than 9 |w| |x|.
  const double relative = rounding<T>(x.stride) + 9 * rounding<float>(kTerms);
  const int32_t zero = zero_byte();
  parallel_for((x.count + kSamplesPerTask - 1) / kSamplesPerTask, [&](int64_t task) {
    static thread_local std::vector<int8_t> signed_bytes;
    signed_bytes.resize(x.stride);
    const int64_t end = std::min((task + 1) * kSamplesPerTask, x.count);
    for (int64_t i = task * kSamplesPerTask; i < end; ++i) {
      const Quantised q = quantise(columns, x[i], x.stride, zero - 1, signed_bytes.data());
      const int8_t* const own = signed_bytes.data();
      for (int64_t f = 0; f < columns.features; ++f)
        bytes[i * columns.features + f] = static_cast<uint8_t>(own[f] + zero);
      float* mine = terms.data() + i * kTerms;
      mine[0] = q.scale;
      mine[1] = round_up<float>(q.rest);
      mine[2] = round_up<float>(q.lost + relative * q.norm + kTiny);
      mine[3] = round_up<float>(q.norm);
      for (int64_t c = 0; c < columns.n_floats; ++c)
        mine[4 + c] = static_cast<float>(x[i][columns.floats[c]]);
    }
  });
}

template <class T>
void screened_bounds(const ScreenedWeights& screened, int64_t block, const ScreenedInputs<T>& x,
                     int64_t first, int64_t count, float* bounds) {
  const int64_t features = screened.columns.features;
  kernels<float>().upper_bounds(screened.bytes + block * features * kBlock, screened.offsets + block * kBlock,
                                screened.terms + block * kTerms * kBlock, x.bytes.data() + first * features,
                                x.terms.data() + first * kTerms, features, count, bounds);
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

#define FEWFIRE_INSTANTIATE(T)                                                                               \
  template void screened_refresh(const ScreenedWeights&, const Weights<T>&, const double*);                  \
  template struct ScreenedInputs<T>;                                                                         \
  template void screened_bounds(const ScreenedWeights&, int64_t, const ScreenedInputs<T>&, int64_t, int64_t, \
                                float*);                                                                     \
  template FireSet<T> screened_fire_set(const ScreenedWeights&, const Weights<T>&, const Samples<T>&, T,     \
                                        FireWork&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
