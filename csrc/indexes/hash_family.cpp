#include "indexes/hash_family.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/pool.h"
#include "kernels/kernels.h"

namespace fewfire {
namespace {

constexpr double kHalfRoot = 0.70710678;  // below 1 / sqrt(2), by more than rounding takes
constexpr double kAbove = 1 + 1e-8;       // and that many times it lies above
constexpr int64_t kRowsPerTask = 16;

template <class T>
double norm_of(const T* row, int64_t stride) {
  return norm_above<T>(kernels<T>().squared_norm(row, stride), stride);
}

template <class Task>
void for_rows(int64_t count, Task task) {
  parallel_for((count + kRowsPerTask - 1) / kRowsPerTask, [&](int64_t group) {
    const int64_t end = std::min((group + 1) * kRowsPerTask, count);
    for (int64_t i = group * kRowsPerTask; i < end; ++i) task(i);
  });
}

// out[f]: the largest of of_row(i, f) over the samples that are not 0.
template <class T, class OfRow>
void largest_over(const Samples<T>& x, int64_t functions, double* out, OfRow of_row) {
  parallel_for((functions + kRowsPerTask - 1) / kRowsPerTask, [&](int64_t group) {
    const int64_t first = group * kRowsPerTask, end = std::min(first + kRowsPerTask, functions);
    std::fill(out + first, out + end, 0);
    for (int64_t i = 0; i < x.count(); ++i)
      for (int64_t f = first; x.norms[i] > 0 && f < end; ++f) out[f] = std::max(out[f], of_row(i, f));
  });
}

}  // namespace

// A bound on the error of the shared dot of a row of this norm with normal f.
template <class T>
double SignHashes<T>::lost(int64_t f, double norm) const {
  if (!(norms[f] * norm < kSafeProduct<T>)) return std::numeric_limits<double>::infinity();
  return rounding<T>(normals.stride) * norms[f] * norm + kTiny;
}

// How far the row is from where the shared dot may change its mind, if <p, row> is `product` but for `error`.
template <class T>
double SignHashes<T>::margin(T product, int64_t f, double norm, double error) const {
  const double beyond = std::abs(static_cast<double>(product) - static_cast<double>(offsets[f]));
  return (beyond * (1 - 1e-12) - error - lost(f, norm)) / norms[f];
}

// By |<p, x>| / |p| |x|; and on its way the row gets longer, and so does the error of the shared dot.
template <class T>
void SignHashes<T>::speeds(const Samples<T>& x, double* out) const {
  const int64_t n = functions();
  std::vector<T> products(x.count() * n);
  structured_products(structure, x.rows, products.data());
  const double longest = x.count() > 0 ? *std::max_element(x.norms, x.norms + x.count()) : 0;
  std::vector<double> errors(n);
  for (int64_t f = 0; f < n; ++f) errors[f] = product_error(structure, f, longest);
  largest_over(x, n, out, [&](int64_t i, int64_t f) {
    const double product = std::abs(static_cast<double>(products[i * n + f]));
    return (product / x.norms[i] + errors[f]) / norms[f] * kAbove + rounding<T>(normals.stride);
  });
}

template <class T>
void SignHashes<T>::some(const T* row, const int32_t* ids, int64_t count, const Hashes& out) const {
  static thread_local std::vector<T> products;
  products.resize(count);
  kernels<T>().dots(row, normals.data, normals.stride, ids, count, products.data());
  const double norm = norm_of(row, normals.stride);
  for (int64_t j = 0; j < count; ++j) {
    out.values[j] = products[j] > offsets[ids[j]];
    out.margins[j] = margin(products[j], ids[j], norm, lost(ids[j], norm));
  }
}

// By the fast transform; what its error leaves open, `some` decides.
template <class T>
void SignHashes<T>::all(const Rows<const T>& rows, const Hashes& out) const {
  const int64_t n = functions();
  std::vector<T> products(rows.count * n);
  structured_products(structure, rows, products.data());
  std::vector<double> lengths(rows.count), errors(n);
  for_rows(rows.count, [&](int64_t i) { lengths[i] = norm_of(rows[i], rows.stride); });
  const double longest = *std::max_element(lengths.begin(), lengths.end());
  for (int64_t f = 0; f < n; ++f) errors[f] = product_error(structure, f, longest);
  for_rows(rows.count, [&](int64_t i) {
    static thread_local std::vector<int32_t> open;
    static thread_local std::vector<uint8_t> values;
    static thread_local std::vector<double> margins;
    open.clear();
    const Hashes mine = out.from(i * n);
    for (int64_t f = 0; f < n; ++f) {
      const T product = products[i * n + f];
      mine.values[f] = product > offsets[f];
      mine.margins[f] = margin(product, f, lengths[i], errors[f] * lengths[i]);
      if (!(mine.margins[f] > 0)) open.push_back(static_cast<int32_t>(f));
    }
    const auto count = static_cast<int64_t>(open.size());
    values.resize(count);
    margins.resize(count);
    some(rows[i], open.data(), count, {values.data(), margins.data()});
    for (int64_t j = 0; j < count; ++j) {
      mine.values[open[j]] = values[j];
      mine.margins[open[j]] = margins[j];
    }
  });
}

// The place of the winner in a bin; -1 where none competes.
template <class T>
int64_t WinnerHashes<T>::winner(const T* row, const int32_t* bin) const {
  int64_t best = -1;
  for (int64_t j = 0; j < size; ++j) {
    const T value = row[bin[j]];
    if (passes_zeros && value == 0) continue;
    if (best < 0 || value > row[bin[best]]) best = j;
  }
  return best;
}

// To let coordinate j overtake the winner, the row must move by their difference / sqrt(2). One that is 0
// competes as soon as it moves at all, and a winner ceases to when it becomes 0.
template <class T>
double WinnerHashes<T>::margin(const T* row, const int32_t* bin, int64_t winner) const {
  const auto best = static_cast<double>(row[bin[winner]]);
  double out = passes_zeros ? std::abs(best) : std::numeric_limits<double>::infinity();
  for (int64_t j = 0; j < size; ++j)
    if (j != winner) out = std::min(out, kHalfRoot * (best - static_cast<double>(row[bin[j]])));
  return out;
}

// How far a move along the row can bring two coordinates of the bin towards each other, or the winner to 0.
template <class T>
double WinnerHashes<T>::speed(const T* row, const int32_t* bin) const {
  auto least = static_cast<double>(row[bin[0]]), most = least;
  for (int64_t j = 1; j < size; ++j) {
    least = std::min(least, static_cast<double>(row[bin[j]]));
    most = std::max(most, static_cast<double>(row[bin[j]]));
  }
  const double apart = kHalfRoot * (most - least);
  return (passes_zeros ? std::max({apart, std::abs(least), std::abs(most)}) : apart) * kAbove;
}

template <class T>
void WinnerHashes<T>::speeds(const Samples<T>& x, double* out) const {
  largest_over(x, count, out, [&](int64_t i, int64_t f) {
    return speed(x.rows[i], bins + f * size) / static_cast<double>(x.norms[i]);
  });
}

template <class T>
void WinnerHashes<T>::some(const T* row, const int32_t* ids, int64_t n, const Hashes& out) const {
  for (int64_t j = 0; j < n; ++j) {
    const int32_t* own = bins + ids[j] * size;
    const int64_t best = winner(row, own);
    out.margins[j] = best < 0 ? 0 : margin(row, own, best);
    int64_t found = best;
    for (int64_t next = 1; found < 0 && next < count; ++next)
      found = winner(row, bins + (ids[j] + next) % count * size);
    out.values[j] = static_cast<uint8_t>(std::max<int64_t>(found, 0));
  }
}

template <class T>
void WinnerHashes<T>::all(const Rows<const T>& rows, const Hashes& out) const {
  std::vector<int32_t> ids(count);
  std::iota(ids.begin(), ids.end(), 0);
  for_rows(rows.count, [&](int64_t i) { some(rows[i], ids.data(), count, out.from(i * count)); });
}

#define FEWFIRE_INSTANTIATE(T)   \
  template struct SignHashes<T>; \
  template struct WinnerHashes<T>;
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
