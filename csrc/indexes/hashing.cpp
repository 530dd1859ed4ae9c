#include "indexes/hashing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/pool.h"
#include "indexes/fire_search.h"

namespace fewfire {
namespace {

constexpr int64_t kAtATime = 1024;  // rows whose hashes are held at one time: whole blocks
constexpr int64_t kSamplesPerTask = 8;
constexpr double kLongest = 255;  // life

uint8_t whole(double units) { return static_cast<uint8_t>(units < kLongest ? units : kLongest); }

// Lives up to this many units may have ended on a way.
uint8_t reach_of(double way, double unit) { return whole(way / unit * (1 + 1e-12)); }

// Until the neuron has gone so many units, a value with this margin stays.
uint8_t life_of(double margin, double speed, double way, double unit) {
  return margin > 0 ? whole((way + margin / speed) / unit * (1 - 1e-12)) : uint8_t{0};
}

uint8_t& life(const HashTables& tables, int64_t r, int64_t f) {
  return tables.lives[(r / kBlock * tables.functions() + f) * kBlock + r % kBlock];
}

// Gives visit(first, rows) all neurons as they are now, some at a time.
template <class T, class Visit>
void for_neurons(const Weights<T>& w, Visit visit) {
  std::vector<T> room(w.room(std::min(kAtATime, w.count())));
  for (int64_t first = 0; first < w.count(); first += kAtATime) {
    const int64_t count = std::min(kAtATime, w.count() - first);
    if (!w.coast.on()) {
      visit(first, Rows<const T>{w.stored[first], count, w.stride()});
      continue;
    }
    parallel_for(count, [&](int64_t i) {
      T* place = room.data() + i * w.stride();
      const T* row = w.row(first + i, place);
      if (row != place) std::copy_n(row, w.stride(), place);
    });
    visit(first, Rows<const T>{room.data(), count, w.stride()});
  }
}

// Gives visit(i, hashes) all functions on each of the rows.
template <class T, class Visit>
void hash_rows(const HashFamily<T>& family, const Rows<const T>& rows, Visit visit) {
  const int64_t n = family.functions();
  std::vector<uint8_t> values(rows.count * n);
  std::vector<double> margins(rows.count * n);
  const Hashes all{values.data(), margins.data()};
  family.all(rows, all);
  parallel_for((rows.count + kBlock - 1) / kBlock, [&](int64_t block) {
    const int64_t end = std::min((block + 1) * kBlock, rows.count);
    for (int64_t i = block * kBlock; i < end; ++i) visit(i, all.from(i * n));
  });
}

// The code of table t from the values of all functions.
uint32_t code_of(const uint8_t* values, int64_t t, int64_t together, int bits) {
  uint32_t code = 0;
  for (int64_t k = 0; k < together; ++k)
    code |= static_cast<uint32_t>(values[t * together + k]) << (k * bits);
  return code;
}

// Sorts the neurons of table t into buckets, by counting.
void fill_buckets(const HashTables& tables, int64_t t) {
  const uint32_t* codes = tables.codes + t * tables.width;
  int32_t* begins = tables.begins + t * (tables.buckets + 1);
  int32_t* ids = tables.ids + t * tables.width;
  std::fill_n(begins, tables.buckets + 1, 0);
  for (int64_t r = 0; r < tables.width; ++r) ++begins[codes[r]];
  std::partial_sum(begins, begins + tables.buckets + 1, begins);  // ends, until they are filled backwards
  for (int64_t r = tables.width; r-- > 0;) ids[--begins[codes[r]]] = static_cast<int32_t>(r);
}

// A bound on the way of neuron r on a step: along the samples, sum_j |c_j| |x_j|, at the speeds of the tables
// times `faster`; and what rounding adds in any direction, so that it counts as if all were the slowest.
template <class T>
double way_of(const HashTables& tables, int64_t r, const Step<T>& step, const Samples<T>& batch,
              double faster) {
  double push = 0;
  for (int64_t j = step.begins[r]; j < step.begins[r + 1]; ++j)
    push += std::abs(static_cast<double>(step.coefficients[j])) * batch.norms[step.samples[j]];
  push *= std::abs(static_cast<double>(step.gain)) * (1 + 1e-9);
  const double rounded = rounding<T>(step.begins[r + 1] - step.begins[r]) * push +
                         std::numeric_limits<T>::epsilon() * tables.norms[r] + kTiny;
  return faster * push + rounded / kSlowest;
}

// The functions of each neuron of a block whose values may have changed on a step.
class Due {
 public:
  // Takes in the step; returns how many values there are.
  template <class T>
  int64_t take(const HashTables& tables, int64_t block, const Step<T>& step, const Samples<T>& batch,
               double faster) {
    const int64_t n = tables.functions(), first = block * kBlock;
    alignas(64) uint8_t reach[kBlock] = {};
    uint64_t moved = 0;
    for (int64_t r = first; r < std::min(first + kBlock, tables.width); ++r) {
      if (step.lengths[r] == 0) continue;
      tables.norms[r] += step.lengths[r];
      double& way = tables.ways[r];
      way = std::nextafter(way + way_of(tables, r, step, batch, faster),
                           std::numeric_limits<double>::infinity());
      reach[r - first] = reach_of(way, tables.unit);
      if (reach[r - first] == kLongest) way = 0;  // all values are due, and their lives begin anew
      moved |= uint64_t{1} << (r - first);
    }
    if (moved == 0) return 0;
    if (static_cast<int64_t>(functions_.size()) != n) {
      functions_.resize(n);
      std::iota(functions_.begin(), functions_.end(), 0);
    }
    words_ = (n + 63) / 64;
    masks_.assign(words_ * 64, 0);
    const int64_t count = kernels<float>().within_reach(tables.lives + block * n * kBlock, reach, moved,
                                                        functions_.data(), n, masks_.data());
    for (int64_t word = 0; count > 0 && word < words_; ++word) transpose(masks_.data() + word * 64);
    return count;
  }

  // Those of one neuron.
  int64_t of(int64_t lane, std::vector<int32_t>& ids) const {
    ids.resize(functions_.size() + 16);
    return kernels<float>().set_bits(masks_.data() + lane, words_, ids.data());
  }

 private:
  std::vector<int32_t> functions_;  // 0, 1, ..
  std::vector<uint64_t> masks_;
  int64_t words_ = 0;
};

// Hashes the neurons of a block anew where a value may have changed, and marks the tables in which a code is
// another. Returns how many values it looked at.
template <class T>
int64_t rehash_block(const HashFamily<T>& family, const HashTables& tables, int64_t block,
                     const Weights<T>& w, const Step<T>& step, const Samples<T>& batch, double faster,
                     uint8_t* changed) {
  static thread_local Due due;
  static thread_local std::vector<int32_t> ids;
  static thread_local std::vector<uint8_t> values;
  static thread_local std::vector<double> margins;
  const int64_t total = due.take(tables, block, step, batch, faster), first = block * kBlock;
  if (total == 0) return 0;
  const uint32_t ones = (1u << family.bits()) - 1;
  for (int64_t r = first; r < std::min(first + kBlock, tables.width); ++r) {
    const int64_t count = due.of(r - first, ids);
    if (count == 0) continue;
    values.resize(count);
    margins.resize(count);
    family.some(w.stored[r], ids.data(), count, {values.data(), margins.data()});
    for (int64_t j = 0; j < count; ++j) {
      const int64_t t = ids[j] / tables.together;
      const int shift = static_cast<int>(ids[j] % tables.together) * family.bits();
      uint32_t& code = tables.codes[t * tables.width + r];
      const uint32_t now = (code & ~(ones << shift)) | static_cast<uint32_t>(values[j]) << shift;
      changed[t] |= now != code;
      code = now;
      life(tables, r, ids[j]) = life_of(margins[j], tables.speeds[ids[j]], tables.ways[r], tables.unit);
    }
  }
  return total;
}

}  // namespace

template <class T>
void hash_codes(const HashFamily<T>& family, int64_t together, const Rows<const T>& rows, uint32_t* codes) {
  const int64_t count = family.functions() / together;
  for (int64_t first = 0; first < rows.count; first += kAtATime) {
    const Rows<const T> some{rows[first], std::min(kAtATime, rows.count - first), rows.stride};
    hash_rows(family, some, [&](int64_t i, const Hashes& hashes) {
      for (int64_t t = 0; t < count; ++t)
        codes[t * rows.count + first + i] = code_of(hashes.values, t, together, family.bits());
    });
  }
}

template <class T>
void hash_neurons(const HashFamily<T>& family, const HashTables& tables, const Weights<T>& w) {
  for_neurons(w, [&](int64_t first, const Rows<const T>& rows) {
    hash_rows(family, rows, [&](int64_t i, const Hashes& hashes) {
      const int64_t r = first + i;
      tables.norms[r] = norm_above<T>(kernels<T>().squared_norm(rows[i], rows.stride), rows.stride);
      for (int64_t t = 0; t < tables.count; ++t)
        tables.codes[t * tables.width + r] = code_of(hashes.values, t, tables.together, family.bits());
      tables.ways[r] = 0;
      for (int64_t f = 0; tables.lives && f < tables.functions(); ++f)
        life(tables, r, f) = life_of(hashes.margins[f], tables.speeds[f], 0, tables.unit);
    });
  });
  parallel_for(tables.count, [&](int64_t t) { fill_buckets(tables, t); });
}

template <class T>
void hash_speeds(const HashFamily<T>& family, const Samples<T>& x, double* speeds) {
  family.speeds(x, speeds);
  for (int64_t f = 0; f < family.functions(); ++f)
    if (!(speeds[f] > kSlowest)) speeds[f] = kSlowest;
}

template <class T>
int64_t hash_moved(const HashFamily<T>& family, const HashTables& tables, const Weights<T>& w,
                   const Step<T>& step, const Samples<T>& batch) {
  std::vector<double> speeds(family.functions());
  hash_speeds(family, batch, speeds.data());
  double faster = 0;  // than the tables say
  for (int64_t f = 0; f < family.functions(); ++f) faster = std::max(faster, speeds[f] / tables.speeds[f]);
  const int64_t blocks = (tables.width + kBlock - 1) / kBlock;
  std::vector<uint8_t> changed(blocks * tables.count);
  std::vector<int64_t> counts(blocks);
  parallel_for(blocks, [&](int64_t block) {
    counts[block] =
        rehash_block(family, tables, block, w, step, batch, faster, changed.data() + block * tables.count);
  });
  parallel_for(tables.count, [&](int64_t t) {
    bool any = false;
    for (int64_t block = 0; block < blocks; ++block) any |= changed[block * tables.count + t] != 0;
    if (any) fill_buckets(tables, t);
  });
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

void bucket_union(const HashTables& tables, const uint32_t* codes, int64_t n, uint64_t* rows) {
  const int64_t words = (tables.width + kBlock - 1) / kBlock;
  parallel_for((n + kSamplesPerTask - 1) / kSamplesPerTask, [&](int64_t task) {
    for (int64_t i = task * kSamplesPerTask; i < std::min((task + 1) * kSamplesPerTask, n); ++i) {
      uint64_t* row = rows + i * words;
      std::fill_n(row, words, 0);
      for (int64_t t = 0; t < tables.count; ++t) {
        const int32_t* bucket = tables.begins + t * (tables.buckets + 1) + codes[t * n + i];
        const int32_t* ids = tables.ids + t * tables.width;
        for (int32_t j = bucket[0]; j < bucket[1]; ++j) row[ids[j] / 64] |= uint64_t{1} << (ids[j] % 64);
      }
    }
  });
}

#define FEWFIRE_INSTANTIATE(T)                                                                            \
  template void hash_codes(const HashFamily<T>&, int64_t, const Rows<const T>&, uint32_t*);               \
  template void hash_neurons(const HashFamily<T>&, const HashTables&, const Weights<T>&);                 \
  template void hash_speeds(const HashFamily<T>&, const Samples<T>&, double*);                            \
  template int64_t hash_moved(const HashFamily<T>&, const HashTables&, const Weights<T>&, const Step<T>&, \
                              const Samples<T>&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
