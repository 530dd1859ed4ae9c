// Hash tables while neurons move: the codes stay those of fresh tables, and buckets are what codes say.
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "core/pool.h"
#include "indexes/hashing.h"
#include "indexes/proposals.h"
#include "kernels/instruction_set.h"
#include "selftest/checks.h"
#include "selftest/indexes.h"

namespace fewfire::selftest {
namespace {

constexpr int64_t kWidth = 150, kFeatures = 37, kTables = 5;

// The arrays that the Python class HashingIndex holds.
struct Tables {
  std::vector<uint32_t> codes;
  std::vector<int32_t> begins, ids;
  std::vector<uint8_t> lives;
  std::vector<double> ways, norms, speeds;
  HashTables view;

  Tables(int64_t together, int bits)
      : codes(kTables * kWidth),
        begins(kTables * ((1 << (together * bits)) + 1)),
        ids(codes.size()),
        lives((kWidth + kBlock - 1) / kBlock * kTables * together * kBlock),
        ways(kWidth),
        norms(kWidth),
        speeds(kTables * together),
        view{kTables,       together,   1 << (together * bits), kWidth,      codes.data(),
             begins.data(), ids.data(), lives.data(),           ways.data(), norms.data(),
             speeds.data(), 1.0 / 64} {}
};

// A step that moves two of three neurons along some of the samples, by little or by much.
template <class T>
struct Walk {
  std::vector<int64_t> begins{0};
  std::vector<int32_t> samples;
  std::vector<T> coefficients;
  std::vector<double> lengths;

  Walk(const Samples<T>& x, Matrix<T>& w, std::mt19937& random) {
    for (int64_t r = 0; r < w.count; ++r) {
      const double size = std::pow(10.0, static_cast<int>(random() % 4) - 3);
      const std::vector<T> old(w[r], w[r] + w.columns);
      std::vector<double> move(w.columns);
      for (int32_t i = 0; r % 3 != 0 && i < x.count(); ++i) {
        if (random() % 4 != 0) continue;
        samples.push_back(i);
        coefficients.push_back(static_cast<T>(size * normal(random)));
        for (int64_t f = 0; f < w.columns; ++f)
          move[f] += static_cast<double>(coefficients.back()) * x.rows[i][f];
      }
      double square = 0;
      for (int64_t f = 0; f < w.columns; ++f) {
        w[r][f] = static_cast<T>(old[f] + move[f]);
        square += std::pow(static_cast<double>(w[r][f]) - old[f], 2);
      }
      begins.push_back(static_cast<int64_t>(samples.size()));
      lengths.push_back(std::sqrt(square) * (1 + 1e-9));
    }
  }
  Step<T> view() const { return {begins.data(), samples.data(), coefficients.data(), lengths.data()}; }
};

template <class T>
void check_family(const HashFamily<T>& family, int64_t together, std::mt19937& random) {
  Tables tables(together, family.bits()), fresh(together, family.bits());
  Coasting<T> w(random_matrix<T>(kWidth, kFeatures, random), false);
  const SampleSet<T> batch(random_matrix<T>(21, kFeatures, random), 0);
  const int64_t n = batch.x.count, words = (kWidth + kBlock - 1) / kBlock;
  std::vector<uint32_t> codes(kTables * n);
  std::vector<uint64_t> bits(n * words);
  hash_speeds<T>(family, batch.view(), tables.speeds.data());
  fresh.speeds = tables.speeds;
  hash_neurons<T>(family, tables.view, w.view());
  for (int round = 0; round < 12; ++round) {
    const Walk<T> step(batch.view(), w.w, random);
    const int64_t looked_at = hash_moved<T>(family, tables.view, w.view(), step.view(), batch.view());
    check(looked_at <= kWidth * family.functions(), "no value is worked out twice in a step");
    hash_neurons<T>(family, fresh.view, w.view());
    check(tables.codes == fresh.codes, "codes are those of fresh tables");
    check(tables.begins == fresh.begins && tables.ids == fresh.ids, "and so are the buckets");

    hash_codes<T>(family, together, batch.x.view(), codes.data());
    bucket_union(tables.view, codes.data(), n, bits.data());
    bool same = true;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t r = 0; r < kWidth; ++r) {
        bool shares = false;
        for (int64_t t = 0; t < kTables; ++t) shares |= codes[t * n + i] == tables.codes[t * kWidth + r];
        same &= shares == (bits[i * words + r / 64] >> (r % 64) & 1);
      }
    check(same, "a bit for each neuron in one of the buckets");
    FireWork work;
    const FireSet<T> fires =
        proposed_fire_set<T>(ProposedBits{bits.data(), words}, w.view(), batch.view(), T{1}, work);
    const FireSet<T> all = all_proposed(w, batch, T{1});
    check(fires.begins[kWidth] > 0 && fires.begins[kWidth] < all.begins[kWidth],
          "some of what fires is found");
  }
}

template <class T>
void check_families() {
  std::mt19937 random(11);
  constexpr int64_t count = 20, size = 64;
  std::vector<T> signs(3 * size), scales(count, T{1} / 512), offsets(count, static_cast<T>(0.1));
  for (T& sign : signs) sign = random() % 2 == 0 ? T{1} : T{-1};
  const Structure<T> structure{signs.data(), scales.data(), size, count};
  Matrix<T> normals(count, kFeatures);
  structured_rows<T>(structure, kFeatures, normals.rows());
  std::vector<double> norms(count);
  for (int64_t f = 0; f < count; ++f) norms[f] = norm(normals[f], kFeatures) * (1 + 1e-12);
  check_family<T>(SignHashes<T>(structure, normals.view(), norms.data(), offsets.data()), count / kTables,
                  random);

  std::vector<int32_t> bins(10 * 8);
  for (int32_t& coordinate : bins) coordinate = static_cast<int32_t>(random() % kFeatures);
  for (const bool passes_zeros : {false, true})
    check_family<T>(WinnerHashes<T>(bins.data(), 10, 8, passes_zeros), 2, random);
}

}  // namespace

void check_hashing() {
  for (const std::string& set : sets_to_check()) {
    use_instruction_set(set);
    for (const int threads : kThreadCounts) {
      set_threads(threads);
      where = "hashing, " + set + ", " + std::to_string(threads) + " threads";
      check_families<float>();
      check_families<double>();
    }
  }
}

}  // namespace fewfire::selftest
