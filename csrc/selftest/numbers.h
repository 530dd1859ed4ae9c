// Rows of numbers, and plain loops over them in double.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "core/rows.h"

namespace fewfire::selftest {

// Rows of numbers that pad themselves.
template <class T>
struct Matrix {
  int64_t count, columns, stride;
  std::vector<T> data;

  Matrix(int64_t count, int64_t columns)
      : count(count), columns(columns), stride((columns + lanes - 1) / lanes * lanes), data(count * stride) {}
  T* operator[](int64_t i) { return data.data() + i * stride; }
  const T* operator[](int64_t i) const { return data.data() + i * stride; }
  Rows<T> rows() { return {data.data(), count, stride}; }
  Rows<const T> view() const { return {data.data(), count, stride}; }

  static constexpr int64_t lanes = 64 / sizeof(T);
};

// Nearly normal, of exact sums alone: a logarithm may round differently on another machine.
inline double normal(std::mt19937& random) {
  double sum = 0;
  for (int i = 0; i < 12; ++i) sum += random();
  return sum / 4294967296.0 - 6;
}

template <class T>
Matrix<T> random_matrix(int64_t count, int64_t columns, std::mt19937& random) {
  Matrix<T> out(count, columns);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t f = 0; f < columns; ++f) out[i][f] = static_cast<T>(normal(random));
  return out;
}

template <class T>
double dot(const T* a, const T* b, int64_t count) {
  double sum = 0;
  for (int64_t f = 0; f < count; ++f) sum += static_cast<double>(a[f]) * b[f];
  return sum;
}

template <class T>
double norm(const T* a, int64_t count) {
  return std::sqrt(dot(a, a, count));
}

}  // namespace fewfire::selftest
