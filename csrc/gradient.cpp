#include "gradient.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels.h"
#include "pool.h"

namespace fewfire {

template <class T>
void forward(const FireView<T>& fires, const Rows<const T>& a, T threshold, T scale, const Rows<T>& outputs) {
  // Partial sums over groups of neurons, then over the groups in order. As many groups as keep the
  // partial sums within 16 million numbers, 64 at the most: a function of the shapes alone.
  const int64_t size = outputs.count * outputs.stride;
  const int64_t groups = std::max<int64_t>(
      1, std::min<int64_t>({64, (a.count + 63) / 64, (int64_t{1} << 24) / std::max<int64_t>(size, 1)}));
  const int64_t group = (a.count + groups - 1) / groups;
  static thread_local std::vector<T> sums_of_groups;  // kept: fresh memory would cost more than the sums
  sums_of_groups.resize(std::max<size_t>(sums_of_groups.size(), groups * size));
  T* partial = sums_of_groups.data();
  parallel_for(groups, [&](int64_t g) {
    const Kernels<T>& kernel = kernels<T>();
    static thread_local std::vector<T> activations;
    std::fill_n(partial + g * size, size, T{0});
    const int64_t end = std::min((g + 1) * group, a.count);
    for (int64_t r = g * group; r < end; ++r) {
      const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
      activations.resize(std::max<size_t>(activations.size(), count));
      for (int64_t j = 0; j < count; ++j) activations[j] = fires.values[begin + j] - threshold;
      kernel.scatter_row(a[r], a.stride, fires.samples + begin, activations.data(), count,
                         partial + g * size);
    }
  });
  constexpr int64_t strip = 1024;
  parallel_for((size + strip - 1) / strip, [&](int64_t task) {
    const int64_t first = task * strip, count = std::min(strip, size - first);
    T sums[strip] = {};
    for (int64_t g = 0; g < groups; ++g)
      for (int64_t i = 0; i < count; ++i) sums[i] += partial[g * size + first + i];
    for (int64_t i = 0; i < count; ++i) outputs.data[first + i] = scale * sums[i];
  });
}

template <class T>
void Descent<T>::move(int64_t r, int64_t next) const {
  const Kernels<T>& kernel = kernels<T>();
  const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
  const int32_t* ids = fires.samples + begin;
  T* c = coefficients + begin;
  kernel.dots(a[r], residual.data, residual.stride, ids, count, c);
  for (int64_t j = 0; j < count; ++j) c[j] *= -rate * scale;
  static thread_local std::vector<T> pulls;
  pulls.resize(std::max<size_t>(pulls.size(), count));
  const T* moves = c;
  if (coast.on()) {
    coast_to_now(r);
    if (coast.velocity.data) x.move(coast.velocity[r], coast.velocity[next], ids, c, count);
    for (int64_t j = 0; j < count; ++j) pulls[j] = gain * c[j];
    moves = pulls.data();
  }
  const double square = x.move(w[r], w[next], ids, moves, count);
  lengths[r] = std::sqrt(square) * (1 + rounding<T>(w.stride)) + 1e-18;
  if (a_rate > 0) {
    for (int64_t j = 0; j < count; ++j) pulls[j] = -a_rate * scale * (fires.values[begin + j] - threshold);
    if (coast.on()) {
      coast_output(r);
      if (a_velocity.data)
        kernel.move_row(a_velocity[r], a_velocity[next], residual.data, residual.stride, ids, pulls.data(),
                        count);
      for (int64_t j = 0; j < count; ++j) pulls[j] *= gain;
    }
    kernel.move_row(a[r], a[next], residual.data, residual.stride, ids, pulls.data(), count);
  }
}

template <class T>
void Descent<T>::coast_to_now(int64_t r) const {
  if (coast.has(r)) glide_rows(coast.flow(coast.since[r]), w.stride, w[r], coast.velocity_row(r));
  coast.since[r] = coast.now;
}

template <class T>
void Descent<T>::coast_output(int64_t r) const {
  glide_rows(flow, a.stride, a[r], a_velocity.data ? a_velocity[r] : nullptr);
}

template <class T>
void Descent<T>::move_block(const int32_t* order, int64_t block) const {
  const int64_t first = block * kBlock, end = std::min(first + kBlock, w.count);
  int64_t firing[kBlock + 1], count = 0;
  for (int64_t position = first; position < end; ++position) {
    const int64_t r = order ? order[position] : position;
    lengths[r] = 0;
    if (fires.begins[r] < fires.begins[r + 1])
      firing[count++] = r;
    else if (coast.on() && a_rate > 0)
      coast_output(r);
  }
  for (int64_t i = 0; i < count; ++i) move(firing[i], firing[std::min(i + 1, count - 1)]);
}

template <class T>
void backward(const Descent<T>& descent) {
  parallel_for((descent.w.count + kBlock - 1) / kBlock,
               [&](int64_t block) { descent.move_block(nullptr, block); });
}

template <class T>
void settle(const Rows<T>& w, const Coast<T>& coast) {
  parallel_for((w.count + kBlock - 1) / kBlock, [&](int64_t block) {
    for (int64_t r = block * kBlock; r < std::min((block + 1) * kBlock, w.count); ++r)
      if (coast.has(r)) glide_rows(coast.flow(coast.since[r]), w.stride, w[r], coast.velocity_row(r));
  });
  std::fill_n(coast.since, w.count, 0);
}

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

// Bit r of row i: whether neuron r fires on sample i.
template <class T>
std::vector<uint64_t> fire_bits(const FireView<T>& fires, int64_t n_neurons, int64_t n_samples,
                                int64_t words) {
  std::vector<uint64_t> bits(n_samples * words);
  parallel_for(words, [&](int64_t word) {  // of 64 neurons
    for (int64_t r = 64 * word; r < std::min(64 * (word + 1), n_neurons); ++r)
      for (int64_t j = fires.begins[r]; j < fires.begins[r + 1]; ++j)
        bits[fires.samples[j] * words + word] |= uint64_t{1} << (r & 63);
  });
  return bits;
}

}  // namespace

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
  const std::vector<uint64_t> bits = fire_bits(fires, n_neurons, n_samples, words);
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
void gram_dots(const FireView<T>& fires, const Rows<const T>& a, const Rows<const T>& v, const Samples<T>& x,
               T* products) {
  const std::vector<uint8_t> one_row(x.count());
  parallel_for((a.count + kBlock - 1) / kBlock, [&](int64_t block) {
    std::vector<T> coefficients(x.count()), image(x.rows.stride);
    const T* row = image.data();
    for (int64_t r = block * kBlock; r < std::min((block + 1) * kBlock, a.count); ++r) {
      const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
      const int32_t* ids = fires.samples + begin;
      kernels<T>().dots(a[r], v.data, v.stride, ids, count, coefficients.data());
      std::fill(image.begin(), image.end(), T{0});
      x.move(image.data(), image.data(), ids, coefficients.data(), count);
      x.dots(&row, one_row.data(), ids, count, products + begin);
    }
  });
}

#define FEWFIRE_INSTANTIATE(T)                                                                               \
  template void forward(const FireView<T>&, const Rows<const T>&, T, T, const Rows<T>&);                     \
  template struct Descent<T>;                                                                                \
  template void backward(const Descent<T>&);                                                                 \
  template void settle(const Rows<T>&, const Coast<T>&);                                                     \
  template void fire_gram(const FireView<T>&, const double*, int64_t, int64_t, T, bool, double*);            \
  template void fire_counts(const FireView<T>&, int64_t, int64_t, double*);                                  \
  template void fire_dots(const FireView<T>&, const Rows<const T>&, const Samples<T>&, T*);                  \
  template void gram_dots(const FireView<T>&, const Rows<const T>&, const Rows<const T>&, const Samples<T>&, \
                          T*);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
