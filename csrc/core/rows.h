// Rows of numbers, each padded with zeros to a whole number of 64-byte vectors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace fewfire {

// Where an order is given, row i is the one that stands at order[i] in memory.
template <class T>
struct Rows {
  T* data;
  int64_t count;
  int64_t stride;
  const int32_t* order = nullptr;

  int64_t id(int64_t i) const { return order ? order[i] : i; }
  T* operator[](int64_t i) const { return data + id(i) * stride; }
};

// A proven bound on the relative rounding error of any sum of n products and a few more operations,
// fused or not: |computed - exact| <= rounding(n) * sum |a_i b_i| (docs/theory/rounding.md).
template <class T>
constexpr double rounding(int64_t n) {
  return 2.0 * static_cast<double>(n + 8) * (std::numeric_limits<T>::epsilon() / 2);
}

// Products of norms beyond this may overflow inside a sum: then nothing is proven of the pair.
template <class T>
constexpr double kSafeProduct = std::numeric_limits<T>::max() / 1e8;

// Covers what sums of squares and products lose to underflow.
constexpr double kTiny = 1e-25;

// An upper bound on a norm whose square was computed in T; squares may have underflowed.
template <class T>
double norm_above(double square, int64_t stride) {
  return std::sqrt(square) * (1 + rounding<T>(stride)) + kTiny + 1e-18;
}

// x as a T that is not smaller.
template <class T>
T round_up(double x) {
  return static_cast<T>(x * (1 + 2 * std::numeric_limits<T>::epsilon()));
}

// x as a T that is not larger, and finite.
template <class T>
T round_down(double x) {
  const double largest = std::numeric_limits<T>::max();
  const T nearest = static_cast<T>(std::min(x, largest));
  return nearest > x ? std::nextafter(nearest, -std::numeric_limits<T>::max()) : nearest;
}

}  // namespace fewfire
