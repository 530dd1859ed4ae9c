#include "networks/hidden.h"

#include <algorithm>
#include <cmath>

#include "core/pool.h"

namespace fewfire {
namespace {

constexpr int64_t kSamples = 16;  // of a task

// sum_p term(p) over p < count, in a fixed number of lanes.
template <class Term>
double sum_in_lanes(int64_t count, Term term) {
  constexpr int64_t lanes = 8;
  double sums[lanes] = {};
  int64_t p = 0;
  for (; p + lanes <= count; p += lanes)
    for (int64_t l = 0; l < lanes; ++l) sums[l] += term(p + l);
  for (; p < count; ++p) sums[p % lanes] += term(p);
  for (int64_t half = lanes / 2; half > 0; half /= 2)
    for (int64_t l = 0; l < half; ++l) sums[l] += sums[l + half];
  return sums[0];
}

// |a|, also where the squares would overflow or underflow.
template <class T>
double length_of(const T* a, int64_t count) {
  const double largest = count > 0 ? static_cast<double>(*std::max_element(a, a + count)) : 0;
  if (!(largest > 0)) return 0;
  return largest * std::sqrt(sum_in_lanes(count, [&](int64_t p) {
           const double part = a[p] / largest;
           return part * part;
         }));
}

// visit(i) for each sample, shared among threads.
template <class Visit>
void each_sample(int64_t n_samples, Visit visit) {
  parallel_for((n_samples + kSamples - 1) / kSamples, [&](int64_t task) {
    const int64_t end = std::min((task + 1) * kSamples, n_samples);
    for (int64_t i = task * kSamples; i < end; ++i) visit(i);
  });
}

}  // namespace

template <class T>
void normalize(const T* z, const int64_t* places, int64_t pairs, T threshold, const Normalization& how,
               const int64_t* begins, int64_t n_samples, T* values, double* lengths) {
  constexpr int64_t strip = 1 << 14;
  parallel_for((pairs + strip - 1) / strip, [&](int64_t task) {
    const int64_t end = std::min((task + 1) * strip, pairs);
    for (int64_t p = task * strip; p < end; ++p) values[places[p]] = z[p] - threshold;
  });
  const bool has_constant = how.constant > 0;
  each_sample(n_samples, [&](int64_t i) {
    T* h = values + begins[i];
    const int64_t count = begins[i + 1] - begins[i] - has_constant;
    lengths[i] = how.length > 0 ? how.length : length_of(h, count);
    for (int64_t p = 0; p < count; ++p) h[p] = static_cast<T>(how.share * (h[p] / lengths[i]));
    if (has_constant) h[count] = static_cast<T>(how.constant);
  });
}

template <class T>
void normalized_gradients(const SparseInputs<T>& hidden, const double* lengths, const Normalization& how,
                          T* gradients) {
  const bool has_constant = how.constant > 0;
  each_sample(hidden.count, [&](int64_t i) {
    const T* h = hidden.values + hidden.begins[i];
    T* g = gradients + hidden.begins[i];
    const int64_t count = hidden.begins[i + 1] - hidden.begins[i] - has_constant;
    double along = 0;  // <g, u> for h = share u, and 0 where the length is none of the sample's own
    if (!(how.length > 0))
      along = sum_in_lanes(count, [&](int64_t p) { return static_cast<double>(g[p]) * h[p]; }) / how.share;
    for (int64_t p = 0; p < count; ++p) g[p] = static_cast<T>((how.share * g[p] - along * h[p]) / lengths[i]);
    if (has_constant) g[count] = 0;
  });
}

#define FEWFIRE_INSTANTIATE(T)                                                                        \
  template void normalize(const T*, const int64_t*, int64_t, T, const Normalization&, const int64_t*, \
                          int64_t, T*, double*);                                                      \
  template void normalized_gradients(const SparseInputs<T>&, const double*, const Normalization&, T*);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
