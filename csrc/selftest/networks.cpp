// Structured weights.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "core/pool.h"
#include "kernels/instruction_set.h"
#include "networks/structured.h"
#include "selftest/checks.h"
#include "selftest/networks.h"

namespace fewfire::selftest {
namespace {

// Structured weights, samples, and the inner products of plain loops over them, which are the same in all
// ways.
template <class T>
struct StructuredCase {
  static constexpr int64_t n_samples = 21;

  int64_t size, width, n_features;
  std::mt19937 random{2};
  std::vector<T> signs, scales;
  Matrix<T> x, w;
  std::vector<double> lengths, exact;  // exact: of sample i with neuron r, at i * width + r

  StructuredCase(int64_t width, int64_t n_features, int64_t size)
      : size(size),
        width(width),
        n_features(n_features),
        signs((width + size - 1) / size * 3 * size),
        scales(width),
        x(random_matrix<T>(n_samples, n_features, random)),
        w(width, n_features) {
    for (T& sign : signs) sign = random() % 2 == 0 ? T{1} : T{-1};
    for (T& scale : scales) scale = static_cast<T>((1 + random() % 100 / 100.0) / size);
    structured_rows<T>(structure(), n_features, w.rows());
    for (int64_t i = 0; i < n_samples; ++i) {
      lengths.push_back(norm(x[i], n_features));
      for (int64_t r = 0; r < width; ++r) exact.push_back(dot(w[r], x[i], n_features));
    }
  }
  Structure<T> structure() const { return {signs.data(), scales.data(), size, width}; }
};

// The weights, their fast products, and the lines made of them.
template <class T>
void check_structured(StructuredCase<T>& expected, bool packed) {
  const auto& [size, width, n_features, random, signs, scales, x, w, lengths, exact] = expected;
  const int64_t n_samples = x.count, n_tabled = (width + kBlock - 1) / kBlock;
  const Structure<T> structure = expected.structure();
  Matrix<T> rows(width, n_features);
  structured_rows<T>(structure, n_features, rows.rows());
  check(rows.data == w.data, "all ways to compute give the same structured weights");
  std::vector<T> products(n_samples * width), inverse_norms;
  structured_products<T>(structure, x.view(), products.data());

  for (const double length : lengths) inverse_norms.push_back(static_cast<T>(1 / length));
  const double largest_norm = *std::max_element(lengths.begin(), lengths.end());
  const T threshold = static_cast<T>(0.5);
  const TableKind kind = table_kind(packed);
  const DistanceCode code{packed ? 2.0 : 20.0, kind.code.zero};
  std::vector<int32_t> order(width);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), expected.random);
  std::vector<uint8_t> bytes(n_tabled * n_samples * kind.line_bytes);
  const CodeTable table{bytes.data(), n_samples, kind.line_bytes};
  const std::vector<double> lost(width, 0);
  for (int64_t first = 0; first < n_samples; first += 19)
    structured_lines<T>(structure, order.data(), x.view(), inverse_norms.data(), threshold, lost.data(),
                        first, std::min<int64_t>(19, n_samples - first), largest_norm, code, n_tabled, table);

  bool close = true, proven = true, sharp = true;
  for (int64_t p = 0; p < width; ++p) {
    const int64_t r = order[p];
    const double error =
        rounding<T>(3 * static_cast<int64_t>(std::log2(size))) * scales[r] * std::pow(size, 1.5);
    for (int64_t i = 0; i < n_samples; ++i) {
      const double product = exact[i * width + r], length = lengths[i];
      close &= std::abs(products[i * width + r] - product) <= error * length;
      const double distance = (threshold - product) / length * code.resolution + 1 + code.zero;
      const int found = CodeColumn(table, p / kBlock, p % kBlock)[i];
      proven &= found == 0 || found <= distance;
      sharp &= found == table.highest() || found > distance - 1.01 - 2 * error * code.resolution;
    }
  }
  check(close, "fast products are those of plain loops");
  check(proven, "the lines of structured weights promise no more than the distance");
  check(sharp, "and no less than it by more than a code");
}

}  // namespace

void check_structures() {
  for (const int64_t size : {64, 128, 256, 512, 1024, 4096}) {
    StructuredCase<float> in_float(size + 70, size - 13, size);
    StructuredCase<double> in_double(size / 2 + 1, size, size);
    bool packed = false;  // both kinds of table, in turn
    for (const std::string& set : sets_to_check()) {
      use_instruction_set(set);
      for (const int count : kThreadCounts) {
        set_threads(count);
        where = "structured, " + set + ", blocks of " + std::to_string(size);
        packed = !packed;
        check_structured<float>(in_float, packed);
        check_structured<double>(in_double, packed);
      }
    }
  }
}

}  // namespace fewfire::selftest
