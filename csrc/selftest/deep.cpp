// Layers whose inputs are sparse: against chains of multiply-adds over all inputs, bit for bit, and against
// plain loops in double.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/by_sample.h"
#include "core/pool.h"
#include "indexes/sparse_product.h"
#include "kernels/instruction_set.h"
#include "networks/hidden.h"
#include "networks/sparse_descent.h"
#include "selftest/checks.h"
#include "selftest/numbers.h"

namespace fewfire::selftest {
namespace {

// A multiply-add as the kernels in use round it.
template <class T>
T multiply_add(T a, T b, T c) {
  return instruction_set() == "base" ? static_cast<T>(a * b) + c : std::fma(a, b, c);
}

// Sparse samples with their zeros, and without.
template <class T>
struct SparseSamples {
  Matrix<T> dense;
  std::vector<int64_t> begins{0};
  std::vector<int32_t> ids;
  std::vector<T> values;

  SparseSamples(int64_t count, int64_t features, double rate, std::mt19937& random) : dense(count, features) {
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t f = 0; f < features; ++f) {
        if (random() >= rate * 4294967296.0) continue;
        dense[i][f] = static_cast<T>(normal(random) / 4);
        ids.push_back(static_cast<int32_t>(f));
        values.push_back(dense[i][f]);
      }
      begins.push_back(static_cast<int64_t>(ids.size()));
    }
  }
  SparseInputs<T> view() const { return {begins.data(), ids.data(), values.data(), dense.count}; }
};

struct DeepShape {
  int64_t width, features, n_samples;
  double rate;
};

template <class T>
void check_fires(const FireSet<T>& fires, const Matrix<T>& w, const Matrix<T>& x, T threshold) {
  bool same = true;
  for (int64_t r = 0; r < w.count; ++r) {
    int64_t next = fires.begins[r];
    for (int64_t i = 0; i < x.count; ++i) {
      T z = 0;
      for (int64_t f = 0; f < x.columns; ++f) z = multiply_add(w[r][f], x[i][f], z);
      const bool found = next < fires.begins[r + 1] && fires.samples[next] == i;
      same &= found == (z > threshold);
      if (found) same &= fires.values[next++] == z;
    }
    same &= next == fires.begins[r + 1];
  }
  check(same, "sparse products have the bits of ordered dense ones");
}

template <class T>
void check_gradients(const FireSet<T>& fires, const std::vector<T>& pulls, const Matrix<T>& w,
                     const SparseSamples<T>& x, const std::vector<T>& gradients) {
  std::vector<double> exact(x.ids.size()), size(x.ids.size());
  for (int64_t r = 0; r < w.count; ++r) {
    for (int64_t j = fires.begins[r]; j < fires.begins[r + 1]; ++j) {
      for (int64_t p = x.begins[fires.samples[j]]; p < x.begins[fires.samples[j] + 1]; ++p) {
        const double term = static_cast<double>(pulls[j]) * w[r][x.ids[p]];
        exact[p] += term;
        size[p] += std::abs(term);
      }
    }
  }
  bool close = true;
  for (size_t p = 0; p < exact.size(); ++p)
    close &= std::abs(gradients[p] - exact[p]) <= rounding<T>(w.count) * size[p];
  check(close, "gradients by inputs that fire are those of a plain loop");
}

// By sample, on the sphere or scaled, and back.
template <class T>
void check_hidden(const FireSet<T>& fires, int64_t width, int64_t n_samples, T threshold,
                  const Normalization& how, std::mt19937& random) {
  const int64_t pairs = fires.begins[width], spare = how.constant > 0;
  std::vector<int64_t> begins(n_samples + 1), places(pairs);
  std::vector<int32_t> neurons(pairs + spare * n_samples, static_cast<int32_t>(width));
  by_sample(fires.begins.get(), fires.samples.get(), width, n_samples, spare, begins.data(), neurons.data(),
            places.data());
  std::vector<T> h(neurons.size());
  std::vector<double> lengths(n_samples);
  normalize<T>(fires.values.get(), places.data(), pairs, threshold, how, begins.data(), n_samples, h.data(),
               lengths.data());
  std::vector<T> gradients(h.size());
  for (T& g : gradients) g = static_cast<T>(normal(random));
  const std::vector<T> before = gradients;
  normalized_gradients<T>({begins.data(), neurons.data(), h.data(), n_samples}, lengths.data(), how,
                          gradients.data());
  bool turned = true, unit = true, back = true;
  std::vector<int64_t> next(begins.begin(), begins.end() - 1);
  for (int64_t r = 0; r < width; ++r)
    for (int64_t p = fires.begins[r]; p < fires.begins[r + 1]; ++p)
      turned &= places[p] == next[fires.samples[p]]++ && neurons[places[p]] == r;
  const double error = 1e3 * std::numeric_limits<T>::epsilon();
  for (int64_t i = 0; i < n_samples; ++i) {
    const int64_t first = begins[i], end = begins[i + 1] - spare;
    turned &= end == next[i];
    double square = 0, along = 0;
    for (int64_t p = first; p < end; ++p) {
      square += static_cast<double>(h[p]) * h[p];
      along += static_cast<double>(before[p]) * h[p] / how.share;
    }
    if (how.length == 0 && first < end) unit &= std::abs(square / (how.share * how.share) - 1) <= error;
    if (how.length > 0) along = 0;
    for (int64_t p = first; p < end; ++p) {
      const double exact = (how.share * before[p] - along * h[p]) / lengths[i];
      back &= std::abs(gradients[p] - exact) * lengths[i] <= error * (1 + std::abs(along));
    }
    for (int64_t p = end; p < begins[i + 1]; ++p)
      back &= h[p] == static_cast<T>(how.constant) && gradients[p] == 0;
  }
  check(turned, "pairs by sample are those by neuron");
  check(unit, "hidden vectors lie on the sphere");
  check(back, "gradients go back through the sphere as in a plain loop");
}

// A random walk of a layer; returns its weights at the end.
template <class T>
std::vector<T> walk(const DeepShape& shape) {
  std::mt19937 random(5);
  const T threshold = static_cast<T>(0.3);
  Matrix<T> w = random_matrix<T>(shape.width, shape.features, random);
  SparseSamples<T> x(shape.n_samples, shape.features, shape.rate, random);
  FireSet<T> ahead;
  for (int step = 0; step < 4; ++step) {
    FireWork work;
    const FireSet<T> fires = sparse_fire_set<T>(w.view(), x.view(), threshold, work);
    check_fires(fires, w, x.dense, threshold);
    const int64_t pairs = fires.begins[shape.width];
    if (step > 0)
      check(std::equal(fires.begins.get(), fires.begins.get() + shape.width + 1, ahead.begins.get()) &&
                std::equal(fires.values.get(), fires.values.get() + pairs, ahead.values.get()),
            "the step before found the same");
    const FireView<T> view{fires.begins.get(), fires.samples.get(), fires.values.get()};
    std::vector<T> pulls(pairs), gradients(x.ids.size());
    for (T& pull : pulls) pull = static_cast<T>(normal(random));
    sparse_gradients<T>(view, pulls.data(), w.view(), x.view(), gradients.data());
    check_gradients(fires, pulls, w, x, gradients);
    check_hidden<T>(fires, shape.width, shape.n_samples, threshold, {0, 1, 0}, random);
    check_hidden<T>(fires, shape.width, shape.n_samples, threshold, {0, 0.6, 0.8}, random);
    check_hidden<T>(fires, shape.width, shape.n_samples, threshold, {2.5, 1, 0}, random);

    const T rate = static_cast<T>(0.1);
    Matrix<T> moved = w;
    for (int64_t r = 0; r < w.count; ++r)
      for (int64_t j = fires.begins[r]; j < fires.begins[r + 1]; ++j)
        for (int64_t p = x.begins[fires.samples[j]]; p < x.begins[fires.samples[j] + 1]; ++p)
          moved[r][x.ids[p]] = multiply_add(-rate * pulls[j], x.values[p], moved[r][x.ids[p]]);
    Matrix<T> alone = w;
    backward(SparseDescent<T>{view, pulls.data(), x.view(), rate, alone.rows()});
    const SparseSamples<T> next(shape.n_samples, shape.features, shape.rate, random);
    ahead = sparse_step<T>({view, pulls.data(), x.view(), rate, w.rows()}, next.view(), threshold, work);
    check(alone.data == moved.data, "a step moves the pairs that fire, samples in order");
    check(w.data == moved.data, "so does a step that asks");
    x = next;
  }
  return w.data;
}

template <class T>
void check_layers(const char* precision) {
  const DeepShape shapes[] = {{1, 1, 1, 1},      {3, 5, 2, 0},         {64, 64, 64, 0.2}, {70, 130, 33, 0.1},
                              {129, 17, 70, .9}, {65, 2100, 20, 0.05}, {10, 40, 300, 0.3}};
  for (const DeepShape& shape : shapes) {
    std::map<bool, std::vector<T>> expected;  // by whether multiply-adds are fused
    for (const std::string& set : sets_to_check()) {
      for (const int count : kThreadCounts) {
        if (count == 1 && !expected.empty()) continue;  // threads are compared on the first set
        where = std::string("deep, ") + set + ", " + precision + ", " + std::to_string(count) +
                " threads, width " + std::to_string(shape.width);
        use_instruction_set(set);
        set_threads(count);
        const std::vector<T> weights = walk<T>(shape);
        const auto first = expected.emplace(set != "base", weights).first;
        check(weights == first->second, "all ways to compute give the same weights of a sparse layer");
      }
    }
    if (expected.count(true)) add_to_checksum(expected[true]);
  }
}

}  // namespace

void check_deep() {
  check_layers<float>("float");
#ifndef __SANITIZE_THREAD__  // both share their work among threads alike
  check_layers<double>("double");
#endif
}

}  // namespace fewfire::selftest
