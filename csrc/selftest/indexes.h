// Samples and indexes over them: the arrays that the Python classes hold, and their calls.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <type_traits>
#include <vector>

#include "core/codes.h"
#include "indexes/correlation_tree.h"
#include "indexes/drift.h"
#include "indexes/proposals.h"
#include "indexes/screened.h"
#include "selftest/networks.h"
#include "selftest/numbers.h"

namespace fewfire::selftest {

struct Shape {
  int64_t width, n_features, n_samples, n_outputs;
  int64_t k;            // directions of the sketch
  int64_t n_tabled;     // blocks of neurons that have a table
  bool packed = false;  // whether it takes half a byte a pair
};

// A set of samples with what the drift index knows of each. The sketch directions are the first k axes.
template <class T>
struct SampleSet {
  Matrix<T> x, sketch;
  std::vector<T> norms, inverse_norms, perps;
  std::vector<int32_t> ids;
  std::vector<int16_t> codes;  // of float samples that can be coded

  SampleSet(Matrix<T> rows, int64_t k) : x(std::move(rows)), sketch(x.count, k) {
    for (int64_t i = 0; i < x.count; ++i) {
      const double length = norm(x[i], x.columns);
      norms.push_back(round_up<T>(length));
      inverse_norms.push_back(static_cast<T>(1 / length));
      perps.push_back(round_up<T>(norm(x[i] + k, x.columns - k) + 1e-6 * length));
      ids.push_back(static_cast<int32_t>(i));
      std::copy(x[i], x[i] + k, sketch[i]);
    }
    if constexpr (std::is_same_v<T, float>) {
      if (!can_be_coded(x.view())) return;
      codes.resize(x.count * coded_stride(x.stride));
      code_rows(x.view(), codes.data());
    }
  }

  Samples<T> view() const { return {x.view(), norms.data(), codes.empty() ? nullptr : codes.data()}; }
  Samples<T> plain() const { return {x.view(), norms.data()}; }
  DriftBatch<T> known() const { return {view(), ids.data(), sketch.view(), perps.data()}; }

  SampleSet batch(const std::vector<int32_t>& chosen) const {
    Matrix<T> rows(static_cast<int64_t>(chosen.size()), x.columns);
    for (size_t j = 0; j < chosen.size(); ++j)
      std::copy(x[chosen[j]], x[chosen[j]] + x.stride, rows[static_cast<int64_t>(j)]);
    SampleSet out(std::move(rows), sketch.columns);
    out.ids = chosen;
    return out;
  }
};

// The arrays that the Python class DriftIndex holds, and its calls.
template <class T>
struct DriftIndex {
  const Shape shape;
  const TableKind kind;
  const SampleSet<T>& samples;
  std::vector<int32_t> order;  // any will do
  std::vector<uint8_t> table, reach;
  Matrix<T> sketch;
  std::vector<int16_t> reference;
  std::vector<Drift> drift;
  std::vector<T> perps, slacks;
  std::vector<Motion> motion;
  Matrix<T> velocity_sketch, directions;
  std::vector<int16_t> words;
  std::vector<T> word_units;
  WordLimits word_limits;
  DriftState<T> state;

  DriftIndex(const Shape& shape, const SampleSet<T>& samples, bool coasts)
      : shape(shape),
        kind(table_kind(shape.packed)),
        samples(samples),
        order(shape.width),
        table(shape.n_tabled * shape.n_samples * kind.line_bytes),
        reach(shape.n_tabled * kBlock),
        sketch(std::min(shape.n_tabled * kBlock, shape.width), shape.k),
        reference(sketch.count * samples.x.stride),
        drift(sketch.count),
        perps(reach.size()),
        slacks(reach.size()),
        motion(coasts ? sketch.count : 0),
        velocity_sketch(motion.size(), shape.k),
        directions(coasts ? shape.k : 0, shape.n_features),
        words(samples.x.count * samples.x.stride),
        word_units(samples.x.count),
        word_limits(word_inputs<T>(samples.x.view(), samples.x.stride, words.data(), word_units.data())),
        state{{table.data(), shape.n_samples, kind.line_bytes},
              {reference.data(), sketch.count, samples.x.stride},
              drift.data(),
              sketch.rows(),
              perps.data(),
              slacks.data(),
              reach.data(),
              *std::max_element(samples.norms.begin(), samples.norms.end()),
              kind.code,
              (shape.width + kBlock - 1) / kBlock,
              coasts ? motion.data() : nullptr,
              velocity_sketch.rows(),
              directions.view()} {
    for (int64_t i = 0; i < directions.count; ++i) directions[i][i] = 1;
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(0));
  }

  void refresh(Coasting<T>& w, T threshold, const std::vector<int64_t>& blocks) {
    const WordInputs<T> x{words.data(),     word_units.data(),   samples.x.count,
                          samples.x.stride, word_limits.largest, word_limits.lost};
    drift_refresh<T>(state, w.view(order.data()), x, samples.inverse_norms.data(), threshold, blocks.data(),
                     static_cast<int64_t>(blocks.size()));
  }

  FireSet<T> fire_set(Coasting<T>& w, const SampleSet<T>& batch, T threshold, FireWork& work) const {
    return drift_fire_set<T>(state, batch.known(), w.view(order.data()), threshold, work);
  }
};

// The arrays that the Python class ScreenedIndex holds; the first column stays in float32.
template <class T>
struct ScreenedIndex {
  const int64_t blocks, features;
  std::vector<int8_t> bytes;
  std::vector<int32_t> offsets, columns{0};
  std::vector<float> terms;
  std::vector<double> drifts;
  ScreenedWeights weights;

  ScreenedIndex(const Shape& shape, double slack)
      : blocks((shape.width + kBlock - 1) / kBlock),
        features((shape.n_features + 7) / 8 * 8),
        bytes(blocks * features * kBlock),
        offsets(blocks * kBlock),
        terms(blocks * kTerms * kBlock),
        drifts(shape.width),
        weights{
            {columns.data(), 1, features}, bytes.data(), offsets.data(), terms.data(), drifts.data(), slack} {
  }

  FireSet<T> fire_set(Coasting<T>& w, const SampleSet<T>& batch, T threshold, FireWork& work) const {
    return screened_fire_set<T>(weights, w.view(), batch.view(), threshold, work);
  }
};

// The arrays that the Python class CorrelationTrees holds, with the Gram matrix.
template <class T>
struct CorrelationIndex {
  const SampleSet<T>& samples;
  Matrix<T> nodes, gram;
  std::vector<Correlations> bounds;
  CorrelationTrees<T> trees;

  CorrelationIndex(bool by_sample, const Shape& shape, const SampleSet<T>& samples)
      : samples(samples),
        nodes(by_sample ? 2 * ((shape.width + kBlock - 1) / kBlock * kBlock) : shape.width, 0),
        gram(shape.n_samples + 1, shape.n_samples),
        bounds(shape.width),
        trees{by_sample,     shape.width, gram.stride,          nullptr,
              bounds.data(), gram.view(), 2 * rounding<T>(100), 0} {
    nodes.stride = by_sample ? gram.stride : 2 * gram.stride;
    nodes.data.assign(nodes.count * nodes.stride, -std::numeric_limits<T>::infinity());
    trees.nodes = nodes.data.data();
    for (int64_t i = 0; i < shape.n_samples; ++i) {
      for (int64_t j = 0; j < shape.n_samples; ++j)
        gram[i][j] = static_cast<T>(dot(samples.x[i], samples.x[j], shape.n_features));
      gram[shape.n_samples][i] = samples.norms[i];
      trees.largest_norm = std::max(trees.largest_norm, static_cast<double>(samples.norms[i]));
    }
  }

  void refresh(Coasting<T>& w) const { correlation_refresh<T>(trees, w.view(), samples.view()); }
  void moved(Coasting<T>& w, const Step<T>& step, const SampleSet<T>& batch) const {
    if (w.on())
      refresh(w);
    else
      correlation_moved<T>(trees, step, batch.ids.data(), w.view(), samples.view());
  }
  FireSet<T> fire_set(Coasting<T>& w, const SampleSet<T>& batch, T threshold) const {
    FireWork work;
    int64_t compared = 0;
    return correlation_fire_set<T>(trees, batch.view(), batch.ids.data(), w.view(), threshold, work,
                                   compared);
  }
  bool consistent() const {
    const Forest<T> forest = trees.of_samples();
    bool maxima = true;
    for (int64_t p = 1; trees.by_sample && p < forest.leaves; ++p)
      for (int64_t i = 0; i < forest.width; ++i)
        maxima &= forest[p][i] == std::max(forest[2 * p][i], forest[2 * p + 1][i]);
    for (int64_t r = 0; !trees.by_sample && r < trees.n_neurons; ++r)
      for (int64_t p = 1; p < trees.stride; ++p)
        maxima &=
            *trees.of_neuron(r)[p] == std::max(*trees.of_neuron(r)[2 * p], *trees.of_neuron(r)[2 * p + 1]);
    return maxima;
  }
};

// All pairs, proposed as lists.
template <class T>
FireSet<T> all_proposed(Coasting<T>& w, const SampleSet<T>& batch, T threshold) {
  std::vector<int64_t> begins(w.w.count + 1);
  std::vector<int32_t> samples(w.w.count * batch.x.count);
  for (int64_t r = 0; r <= w.w.count; ++r) begins[r] = r * batch.x.count;
  for (size_t j = 0; j < samples.size(); ++j) samples[j] = static_cast<int32_t>(j % batch.x.count);
  FireWork work;
  return proposed_fire_set<T>({begins.data(), samples.data()}, w.view(), batch.view(), threshold, work);
}

template <class T>
bool identical(const FireSet<T>& a, const FireSet<T>& b, int64_t width) {
  const int64_t pairs = a.begins[width];
  return std::equal(a.begins.get(), a.begins.get() + width + 1, b.begins.get()) &&
         std::equal(a.samples.get(), a.samples.get() + pairs, b.samples.get()) &&
         std::equal(a.values.get(), a.values.get() + pairs, b.values.get());
}

}  // namespace fewfire::selftest
