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

// Fast products and the lines made of them, against plain loops over the stored weights.
template <class T>
void check_structured(int64_t width, int64_t n_features, int64_t size, bool packed) {
  std::mt19937 random(2);
  const int64_t blocks = (width + size - 1) / size, n_samples = 21, n_tabled = (width + kBlock - 1) / kBlock;
  std::vector<T> signs(blocks * 3 * size), scales(width), products(n_samples * width), inverse_norms;
  for (T& sign : signs) sign = random() % 2 == 0 ? T{1} : T{-1};
  for (T& scale : scales) scale = static_cast<T>((1 + random() % 100 / 100.0) / size);
  const Structure<T> structure{signs.data(), scales.data(), size, width};
  Matrix<T> w(width, n_features), x = random_matrix<T>(n_samples, n_features, random);
  structured_rows<T>(structure, n_features, w.rows());
  structured_products<T>(structure, x.view(), products.data());

  std::vector<double> lengths;
  for (int64_t i = 0; i < n_samples; ++i) {
    lengths.push_back(norm(x[i], n_features));
    inverse_norms.push_back(static_cast<T>(1 / lengths[i]));
  }
  const double largest_norm = *std::max_element(lengths.begin(), lengths.end());
  const T threshold = static_cast<T>(0.5);
  const TableKind kind = table_kind(packed);
  const DistanceCode code{packed ? 2.0 : 20.0, kind.code.zero};
  std::vector<int32_t> order(width);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
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
      const double exact = dot(w[r], x[i], n_features), length = lengths[i];
      close &= std::abs(products[i * width + r] - exact) <= error * length;
      const double distance = (threshold - exact) / length * code.resolution + 1 + code.zero;
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
  for (const std::string& set : available_instruction_sets()) {
    use_instruction_set(set);
    for (int count : {1, 3}) {
      set_threads(count);
      for (const int64_t size : {64, 128, 256, 512, 1024, 4096}) {
        where = "structured, " + set + ", blocks of " + std::to_string(size);
        const bool packed = count == 3;  // both kinds of table, in turn
        check_structured<float>(size + 70, size - 13, size, packed);
        check_structured<double>(size / 2 + 1, size, size, packed);
      }
    }
  }
}

}  // namespace fewfire::selftest
