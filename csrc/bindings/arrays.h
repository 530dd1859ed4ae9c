// How arrays cross the border. The Python side has checked shapes, types and finiteness; nothing is
// converted or copied, and the GIL is released while a kernel runs.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/rows.h"

namespace fewfire {

namespace nb = nanobind;
using namespace nb::literals;

template <class T>
using Vector = nb::ndarray<T, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Matrix = nb::ndarray<T, nb::numpy, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Cube = nb::ndarray<T, nb::numpy, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

template <class T>
Rows<T> rows(const Matrix<T>& m) {
  return {m.data(), static_cast<int64_t>(m.shape(0)), static_cast<int64_t>(m.shape(1))};
}

template <class T>
Vector<T> owned(std::unique_ptr<T[]> data, size_t count) {
  T* raw = data.release();
  nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return Vector<T>(raw, {count}, owner);
}

template <class T>
Vector<T> as_array(const std::vector<T>& v) {
  std::unique_ptr<T[]> copy(new T[v.size()]);
  std::copy(v.begin(), v.end(), copy.get());
  return owned(std::move(copy), v.size());
}

// "Samples" of float is Samples_float32.
template <class T>
std::string named(const char* name) {
  return std::string(name) + (std::is_same_v<T, float> ? "_float32" : "_float64");
}

// The rooms, each in its own file.
void bind_core(nb::module_& m);
void bind_networks(nb::module_& m);
void bind_halfspace(nb::module_& m);
void bind_indexes(nb::module_& m);
void bind_training(nb::module_& m);

}  // namespace fewfire
