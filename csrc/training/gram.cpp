#include "training/gram.h"

#include <algorithm>
#include <vector>

#include "core/pool.h"
#include "kernels/kernels.h"

namespace fewfire {
namespace {

constexpr int64_t kStripe =
    16;  // rows of a symmetric matrix: a task owns some, so that no two add to one sum

// Fills a symmetric matrix, a stripe at a time from its diagonal on, and what lies below from above.
template <class Fill>
void fill_symmetric(int64_t n, double* matrix, Fill fill) {
  const int64_t stripes = (n + kStripe - 1) / kStripe;
  parallel_for(stripes, [&](int64_t task) { fill(task * kStripe, std::min((task + 1) * kStripe, n)); });
  parallel_for(stripes, [&](int64_t task) {
    const int64_t first = task * kStripe, end = std::min(first + kStripe, n);
    for (int64_t j = 0; j < end; ++j)
      for (int64_t i = std::max(first, j + 1); i < end; ++i) matrix[i * n + j] = matrix[j * n + i];
  });
}

}  // namespace

template <class T>
void fire_bits(const FireView<T>& fires, int64_t n_neurons, const Rows<uint64_t>& bits) {
  parallel_for((n_neurons + 63) / 64, [&](int64_t word) {  // of 64 neurons
    for (int64_t r = 64 * word; r < std::min(64 * (word + 1), n_neurons); ++r)
      for (int64_t j = fires.begins[r]; j < fires.begins[r + 1]; ++j)
        bits[fires.samples[j]][word] |= uint64_t{1} << (r & 63);
  });
}

void common_counts(const Rows<const uint64_t>& a, const Rows<const uint64_t>& b, float* counts) {
  parallel_for((a.count + kStripe - 1) / kStripe, [&](int64_t task) {
    const int64_t first = task * kStripe, end = std::min(first + kStripe, a.count);
    for (int64_t j = 0; j < b.count; ++j)  // the bits of a stripe stay in the cache
      for (int64_t i = first; i < end; ++i)
        counts[i * b.count + j] = static_cast<float>(kernels<float>().common_bits(a[i], b[j], a.stride));
  });
}

template <class T>
void fire_gram(const FireView<T>& fires, const double* weights, int64_t n_neurons, int64_t n_samples,
               T threshold, bool activations, double* gram) {
  fill_symmetric(n_samples, gram, [&](int64_t first, int64_t end) {
    std::fill(gram + first * n_samples, gram + end * n_samples, 0.0);
    for (int64_t r = 0; r < n_neurons; ++r) {
      const int32_t* low = fires.samples + fires.begins[r];
      const int32_t* high = fires.samples + fires.begins[r + 1];
      const T* value = fires.values + fires.begins[r];
      for (const int32_t* i = std::lower_bound(low, high, static_cast<int32_t>(first)); i != high && *i < end;
           ++i) {
        double* row = gram + *i * n_samples;
        const double u = activations ? weights[r] * (value[i - low] - threshold) : weights[r];
        for (const int32_t* j = i; j != high; ++j)
          row[*j] += activations ? u * (value[j - low] - threshold) : u;
      }
    }
  });
}

template <class T>
void fire_counts(const FireView<T>& fires, int64_t n_neurons, int64_t n_samples, double* counts) {
  // An addition for each two pairs of a neuron, or a word for 64 neurons of each two samples.
  constexpr double kWordsInTheTime = 2;  // of an addition
  const int64_t words = (n_neurons + 63) / 64;
  double additions = 0;
  for (int64_t r = 0; r < n_neurons; ++r) {
    const auto count = static_cast<double>(fires.begins[r + 1] - fires.begins[r]);
    additions += count * count / 2;
  }
  if (kWordsInTheTime * additions <= static_cast<double>(n_samples) * n_samples / 2 * words) {
    const std::vector<double> ones(n_neurons, 1.0);
    return fire_gram<T>(fires, ones.data(), n_neurons, n_samples, T{0}, false, counts);
  }
  std::vector<uint64_t> bits(n_samples * words);
  fire_bits<T>(fires, n_neurons, {bits.data(), n_samples, words});
  fill_symmetric(n_samples, counts, [&](int64_t first, int64_t end) {
    for (int64_t j = first; j < n_samples; ++j)
      for (int64_t i = first; i < std::min(end, j + 1); ++i)
        counts[i * n_samples + j] = static_cast<double>(
            kernels<T>().common_bits(bits.data() + i * words, bits.data() + j * words, words));
  });
}

template <class T>
void fire_dots(const FireView<T>& fires, const Rows<const T>& w, const Samples<T>& x, T* products) {
  const std::vector<uint8_t> one_row(x.count());
  parallel_for((w.count + kBlock - 1) / kBlock, [&](int64_t block) {
    for (int64_t r = block * kBlock; r < std::min((block + 1) * kBlock, w.count); ++r) {
      const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
      const T* row = w[r];
      x.dots(&row, one_row.data(), fires.samples + begin, count, products + begin);
    }
  });
}

template <class T>
void gram_dots(const FireView<T>& fires, int64_t n_neurons, const T* pulls, const Samples<T>& x,
               T* products) {
  const std::vector<uint8_t> one_row(x.count());
  parallel_for((n_neurons + kBlock - 1) / kBlock, [&](int64_t block) {
    std::vector<T> image(x.rows.stride);
    const T* row = image.data();
    for (int64_t r = block * kBlock; r < std::min((block + 1) * kBlock, n_neurons); ++r) {
      const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
      const int32_t* ids = fires.samples + begin;
      std::fill(image.begin(), image.end(), T{0});
      x.move(image.data(), image.data(), ids, pulls + begin, count);
      x.dots(&row, one_row.data(), ids, count, products + begin);
    }
  });
}

template <class T>
void sparse_dots(const FireView<T>& fires, const Rows<const T>& w, const SparseInputs<T>& x, T* products) {
  parallel_for((w.count + kBlock - 1) / kBlock, [&](int64_t block) {
    for (int64_t r = block * kBlock; r < std::min((block + 1) * kBlock, w.count); ++r) {
      const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
      kernels<T>().gather_dots(w[r], w[std::min(r + 1, w.count - 1)], w.stride, fires.samples + begin, count,
                               x.begins, x.ids, x.values, products + begin);
    }
  });
}

template <class T>
void sparse_gram_dots(const FireView<T>& fires, int64_t n_neurons, const T* pulls, int64_t n_features,
                      const SparseInputs<T>& x, T* products) {
  parallel_for((n_neurons + kBlock - 1) / kBlock, [&](int64_t block) {
    std::vector<T> image(n_features);
    T* row = image.data();
    for (int64_t r = block * kBlock; r < std::min((block + 1) * kBlock, n_neurons); ++r) {
      const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
      if (count == 0) continue;
      const int32_t* ids = fires.samples + begin;
      std::fill(image.begin(), image.end(), T{0});
      kernels<T>().move_sparse_row(row, row, 0, n_features, ids, pulls + begin, T{1}, count, x.begins,
                                   x.begins + 1, x.ids, x.values);
      kernels<T>().gather_dots(row, row, n_features, ids, count, x.begins, x.ids, x.values, products + begin);
    }
  });
}

#define FEWFIRE_INSTANTIATE(T)                                                                     \
  template void fire_gram(const FireView<T>&, const double*, int64_t, int64_t, T, bool, double*);  \
  template void fire_bits(const FireView<T>&, int64_t, const Rows<uint64_t>&);                     \
  template void fire_counts(const FireView<T>&, int64_t, int64_t, double*);                        \
  template void fire_dots(const FireView<T>&, const Rows<const T>&, const Samples<T>&, T*);        \
  template void gram_dots(const FireView<T>&, int64_t, const T*, const Samples<T>&, T*);           \
  template void sparse_dots(const FireView<T>&, const Rows<const T>&, const SparseInputs<T>&, T*); \
  template void sparse_gram_dots(const FireView<T>&, int64_t, const T*, int64_t, const SparseInputs<T>&, T*);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
