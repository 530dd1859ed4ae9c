#include "kernels/words.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "core/pool.h"

namespace fewfire {
namespace {

constexpr double kMost = 32767;          // in a word
constexpr double kLargestNorm = 1e15;    // beyond it nothing is claimed of a row
constexpr double kSmallestUnit = 1e-30;  // no unit, nor a product of two, underflows in float
constexpr int64_t kSamplesPerTask = 256;

constexpr double infinity = std::numeric_limits<double>::infinity();

// A power of two that is not smaller.
double power_above(double x) { return std::exp2(std::ceil(std::log2(std::max(x, kSmallestUnit)))); }

template <class T>
double norm_of(const T* row, int64_t count) {
  double square = 0;
  for (int64_t f = 0; f < count; ++f) square += static_cast<double>(row[f]) * row[f];
  return std::sqrt(square) * (1 + 1e-9);
}

// What rounding to words did to a row.
struct Rounded {
  double words;  // norm of the words
  double lost;   // norm of what they miss
};

template <class T>
Rounded round_row(const T* row, int64_t stride, double unit, int16_t* words) {
  double square = 0, lost = 0;
  for (int64_t f = 0; f < stride; ++f) {
    const double number = static_cast<double>(row[f]) / unit;
    const double word = std::min(kMost, std::max(-kMost, std::nearbyint(number)));
    words[f] = static_cast<int16_t>(word);
    square += word * word;
    lost += (number - word) * (number - word);
  }
  return {std::sqrt(square) * (1 + 1e-9), std::sqrt(lost) * unit * (1 + 1e-9)};
}

}  // namespace

template <class T>
WordLimits word_inputs(const Rows<const T>& x, int64_t stride, int16_t* words, T* units) {
  WordLimits limits{1, 0};
  std::mutex mutex;
  parallel_for((x.count + kSamplesPerTask - 1) / kSamplesPerTask, [&](int64_t task) {
    WordLimits mine{1, 0};
    const int64_t end = std::min((task + 1) * kSamplesPerTask, x.count);
    for (int64_t i = task * kSamplesPerTask; i < end; ++i) {
      const double norm = norm_of(x[i], stride);
      const bool known = norm < kLargestNorm;
      // A norm a little above a power of two, as rounding leaves it, gets the unit of that power.
      const double unit = known ? power_above(norm * (1 - 1.0 / 1024)) / 32768 : 1;
      units[i] = static_cast<T>(unit);
      if (!known) {
        std::fill_n(words + i * stride, stride, int16_t{0});
        mine.lost = infinity;
        continue;
      }
      const Rounded rounded = round_row(x[i], stride, unit, words + i * stride);
      mine.largest = std::max(mine.largest, rounded.words);
      if (norm > kSmallestUnit) mine.lost = std::max(mine.lost, rounded.lost / norm * (1 + 1e-8));
    }
    std::lock_guard lock(mutex);
    limits = {std::max(limits.largest, mine.largest), std::max(limits.lost, mine.lost)};
  });
  return limits;
}

template <class T>
void WordBlock<T>::pack(const T* const* w, int64_t lanes, int64_t stride, double largest) {
  rows.assign(kBlock * stride, 0);
  columns.resize(stride * kBlock);
  // By the Cauchy-Schwarz inequality no sum of products, nor a part of it, exceeds the product of the norms.
  const double most = (2147483647.0 - 1) / largest - std::sqrt(static_cast<double>(stride));
  for (int64_t lane = 0; lane < kBlock; ++lane) {
    norms[lane] = lost[lane] = 0;
    units[lane] = 1;
    if (lane >= lanes) continue;
    const double norm = norm_of(w[lane], stride);
    if (!(norm < kLargestNorm) || most < 1) {
      lost[lane] = infinity;
      continue;
    }
    double entry = 0;
    for (int64_t f = 0; f < stride; ++f) entry = std::max(entry, std::abs(static_cast<double>(w[lane][f])));
    const double unit = power_above(std::max(norm / most, entry / kMost));
    units[lane] = static_cast<T>(unit);
    const Rounded rounded = round_row(w[lane], stride, unit, &rows[lane * stride]);
    norms[lane] = rounded.words * unit;
    lost[lane] = rounded.lost;
  }
  for (int64_t f = 0; f < stride; f += 2)
    for (int64_t lane = 0; lane < kBlock; ++lane)
      std::memcpy(&columns[f * kBlock + 2 * lane], &rows[lane * stride + f], 2 * sizeof(int16_t));
}

#define FEWFIRE_INSTANTIATE(T)                                                  \
  template WordLimits word_inputs(const Rows<const T>&, int64_t, int16_t*, T*); \
  template struct WordBlock<T>;
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
