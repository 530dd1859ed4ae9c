// The arrays of a network and of the table, as the Python classes hold them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/code_table.h"
#include "networks/descent.h"
#include "networks/weights.h"
#include "selftest/numbers.h"

namespace fewfire::selftest {

// Weights, their velocities, and the time when each row was written, as the Python class Velocities holds
// them.
template <class T>
struct Coasting {
  Matrix<T> w, v;
  std::vector<int32_t> since;
  std::vector<Flow> flows{kNoFlow};

  Coasting(Matrix<T> weights, bool coasts)
      : w(std::move(weights)), v(coasts ? w.count : 0, w.columns), since(coasts ? w.count : 0) {}

  bool on() const { return !since.empty(); }
  Coast<T> coast() {
    if (!on()) return {};
    return {v.rows(), since.data(), flows.data(), static_cast<int32_t>(flows.size()) - 1};
  }
  Weights<T> view(const int32_t* order = nullptr) {
    return {{w.data.data(), w.count, w.stride, order}, coast()};
  }
  Matrix<T> present() {
    Matrix<T> out = w;
    for (int64_t r = 0; r < w.count; ++r) {
      const T* now = view().row(r, out[r]);
      if (now != out[r]) std::copy_n(now, w.stride, out[r]);
    }
    return out;
  }
  void advance(const Flow& step) {
    for (Flow& flow : flows) flow = step.after(flow);
    flows.push_back(kNoFlow);
  }
  void settle() {
    fewfire::settle<T>(w.rows(), coast());
    flows.assign(1, kNoFlow);
  }
};

// Lines of the table and the codes that they hold best.
struct TableKind {
  int64_t line_bytes;
  DistanceCode code;
};
inline TableKind table_kind(bool packed) {
  return packed ? TableKind{32, {10, 2}} : TableKind{64, {127, 32}};
}

}  // namespace fewfire::selftest
