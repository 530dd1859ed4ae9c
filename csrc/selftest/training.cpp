// A random walk of a network. The screened and the drift index and both kinds of correlation trees must find
// the fire sets of the exhaustive one while neurons move and blocks are refreshed, and all must agree with
// plain loops in double.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/codes.h"
#include "core/pool.h"
#include "indexes/exhaustive.h"
#include "kernels/instruction_set.h"
#include "networks/descent.h"
#include "selftest/checks.h"
#include "selftest/indexes.h"
#include "training/gram.h"

namespace fewfire::selftest {
namespace {

// Every pair against a plain loop in double: the decision outside the rounding band, the value within it.
template <class T>
void check_against_plain_loops(const FireSet<T>& fires, const Matrix<T>& w, const Matrix<T>& x, T threshold) {
  bool decided = true, close = true;
  std::vector<double> norms;
  for (int64_t i = 0; i < x.count; ++i) norms.push_back(norm(x[i], x.columns));
  for (int64_t r = 0; r < w.count; ++r) {
    const double error = rounding<T>(w.stride) * norm(w[r], w.columns);
    int64_t next = fires.begins[r];
    for (int64_t i = 0; i < x.count; ++i) {
      const double exact = dot(w[r], x[i], w.columns), band = error * norms[i] + kTiny;
      const bool found = next < fires.begins[r + 1] && fires.samples[next] == i;
      decided &= found == (exact > threshold) || std::abs(exact - threshold) <= band;
      if (found) close &= std::abs(fires.values[next++] - exact) <= band;
    }
    decided &= next == fires.begins[r + 1];
  }
  check(decided, "the pairs that fire are those of a plain loop");
  check(close, "pre-activations are those of a plain loop");
}

template <class T>
void check_bounds(const ScreenedIndex<T>& screened, const Matrix<T>& w, const Matrix<T>& x) {
  const ScreenedInputs<T> inputs(screened.weights.columns, x.view());
  std::vector<float> bounds(x.count * kBlock);
  bool below = true;
  for (int64_t block = 0; block < screened.blocks; ++block) {
    screened_bounds(screened.weights, block, inputs, 0, x.count, bounds.data());
    for (int64_t r = block * kBlock; r < std::min((block + 1) * kBlock, w.count); ++r)
      for (int64_t i = 0; i < x.count; ++i)
        below &= dot(w[r], x[i], w.columns) <= bounds[i * kBlock + r % kBlock];
  }
  check(below, "no pre-activation lies above its bound");
}

template <class T>
void check_outputs(const FireSet<T>& fires, const Matrix<T>& a, T threshold, const Matrix<T>& outputs) {
  Matrix<double> exact(outputs.count, outputs.columns), size(outputs.count, outputs.columns);
  for (int64_t r = 0; r < a.count; ++r) {
    for (int64_t j = fires.begins[r]; j < fires.begins[r + 1]; ++j) {
      for (int64_t c = 0; c < outputs.columns; ++c) {
        const double term = a[r][c] * (static_cast<double>(fires.values[j]) - threshold);
        exact[fires.samples[j]][c] += term;
        size[fires.samples[j]][c] += std::abs(term);
      }
    }
  }
  bool close = true;
  for (int64_t i = 0; i < outputs.count; ++i)
    for (int64_t c = 0; c < outputs.columns; ++c)
      close &= std::abs(outputs[i][c] - exact[i][c]) <= rounding<T>(a.count) * size[i][c];
  check(close, "outputs are those of a plain loop");
}

template <class T>
void check_moves(const Matrix<T>& before, const Matrix<T>& after, const FireSet<T>& fires,
                 const std::vector<double>& lengths) {
  bool bounded = true, silent = true;
  std::vector<double> moved(before.columns);
  for (int64_t r = 0; r < before.count; ++r) {
    for (int64_t f = 0; f < before.columns; ++f) moved[f] = static_cast<double>(after[r][f]) - before[r][f];
    bounded &= norm(moved.data(), before.columns) <= lengths[r];
    silent &= lengths[r] == 0 || fires.begins[r] < fires.begins[r + 1];
  }
  check(bounded, "no neuron moved farther than it was told");
  check(silent, "no neuron moved that did not fire");
}

template <class T>
void check_gram(const FireSet<T>& fires, int64_t width, int64_t n_samples) {
  std::vector<double> exact(n_samples * n_samples), gram(n_samples * n_samples, -1);
  for (int64_t r = 0; r < width; ++r)
    for (int64_t i = fires.begins[r]; i < fires.begins[r + 1]; ++i)
      for (int64_t j = fires.begins[r]; j < fires.begins[r + 1]; ++j)
        ++exact[fires.samples[i] * n_samples + fires.samples[j]];
  const FireView<T> view{fires.begins.get(), fires.samples.get(), fires.values.get()};
  const std::vector<double> ones(width, 1.0);
  fire_gram<T>(view, ones.data(), width, n_samples, T{0}, false, gram.data());
  std::vector<double> counts(n_samples * n_samples, -1);
  fire_counts<T>(view, width, n_samples, counts.data());
  check(counts == exact, "lists or bits count the neurons that fire on both");
  check(gram == exact, "the gram matrix counts the neurons that fire on both");
}

// Normally distributed samples, or whole multiples of 2^-15, which can be coded.
template <class T>
SampleSet<T> random_samples(const Shape& shape, bool coded, std::mt19937& random) {
  Matrix<T> x = random_matrix<T>(shape.n_samples, shape.n_features, random);
  if (coded)
    for (T& value : x.data) value = static_cast<T>(std::round(value / 8 * kCodesPerOne)) / kCodesPerOne;
  SampleSet<T> samples(std::move(x), shape.k);
  check(samples.codes.empty() != (coded && std::is_same_v<T, float>), "what can be coded is");
  return samples;
}

// A random walk of the network through both indexes; returns the weights at its end.
template <class T>
std::vector<T> walk(const Shape& shape, bool coded, bool coasts) {
  std::mt19937 random(1);
  const T threshold = static_cast<T>(coded ? 0.1 : 0.5), scale = static_cast<T>(1 / std::sqrt(shape.width));
  Coasting<T> w(random_matrix<T>(shape.width, shape.n_features, random), coasts);
  Matrix<T> a = random_matrix<T>(shape.width, shape.n_outputs, random);
  Matrix<T> a_velocity(coasts ? shape.width : 0, shape.n_outputs);
  const SampleSet<T> all = random_samples<T>(shape, coded, random);

  DriftIndex<T> index(shape, all, coasts);
  std::vector<int64_t> blocks(shape.n_tabled);
  for (int64_t block = 0; block < shape.n_tabled; ++block) blocks[block] = block;
  index.refresh(w, threshold, blocks);

  const CorrelationIndex<T> trees[] = {{true, shape, all}, {false, shape, all}};
  for (const CorrelationIndex<T>& kind : trees) kind.refresh(w);

  FireSet<T> ahead;  // found by the step before
  ScreenedIndex<T> screened(shape, 0.5);
  const std::vector<double> everywhere(shape.width, std::numeric_limits<double>::infinity());
  screened_refresh<T>(screened.weights, w.view(), everywhere.data());

  const double rates[] = {0.01, 0.1, 1, 10, 0.01, 1000, 1};
  std::vector<SampleSet<T>> batches;
  for (size_t step = 0; step <= std::size(rates); ++step) {
    std::vector<int32_t> chosen((shape.n_samples + 1) / 2 + step % 2);
    for (int32_t& id : chosen) id = static_cast<int32_t>(random() % shape.n_samples);
    batches.push_back(all.batch(chosen));
  }
  for (size_t step = 0; step < std::size(rates); ++step) {
    const SampleSet<T>&batch = batches[step], &next = batches[step + 1];
    FireWork work, index_work, screened_work;
    const Matrix<T> before = w.present();
    const FireSet<T> fires = exhaustive_fire_set<T>(w.view(), batch.view(), threshold, work);
    const FireSet<T> found = index.fire_set(w, batch, threshold, index_work);
    check(identical(fires, found, shape.width), "both indexes find the same fire set");
    check(identical(fires, screened.fire_set(w, batch, threshold, screened_work), shape.width),
          "the screened index finds it too");
    for (const CorrelationIndex<T>& kind : trees) {
      check(identical(fires, kind.fire_set(w, batch, threshold), shape.width), "so do correlation trees");
      check(kind.consistent(), "every node is the larger of its children");
    }
    check(identical(fires, all_proposed(w, batch, threshold), shape.width), "so does a list of all pairs");
    check_bounds(screened, before, batch.x);
    if (ahead.begins) check(identical(fires, ahead, shape.width), "so does the step before");
    const FireSet<T> uncoded = exhaustive_fire_set<T>(w.view(), batch.plain(), threshold, work);
    check(identical(fires, uncoded, shape.width), "codes give the bits of the rows");
    check_against_plain_loops(fires, before, batch.x, threshold);
    check_gram(fires, shape.width, batch.x.count);

    const FireView<T> view{fires.begins.get(), fires.samples.get(), fires.values.get()};
    Matrix<T> outputs(batch.x.count, shape.n_outputs);
    forward<T>(view, a.view(), threshold, scale, outputs.rows());
    Matrix<T> of_all(batch.x.count, shape.n_outputs);
    forward_of_all<T>(before.view(), batch.x.view(), threshold, scale, a.view(), shape.n_outputs,
                      of_all.rows());
    check(of_all.data == outputs.data, "outputs of all pairs are those of the pairs that fire");
    for (T& value : outputs.data) value /= scale;
    check_outputs(fires, a, threshold, outputs);

    const Matrix<T> residual = random_matrix<T>(batch.x.count, shape.n_outputs, random);
    std::vector<T> coefficients(fires.begins[shape.width]);
    std::vector<double> lengths(shape.width, -1);
    const T rate = static_cast<T>(rates[step]);
    const Flow flow{1 - 0.01 * rates[step] / 1000, 0.9 * rates[step] / 1000, -0.01, 0.9};
    if (coasts) w.advance(flow);
    Coasting<T> other = w;
    Matrix<T> other_a = a, other_velocity = a_velocity;
    const auto descend = [&](Samples<T> x, Coasting<T>& on, Matrix<T>& a, Matrix<T>& velocity) {
      return Descent<T>{view,
                        residual.view(),
                        x,
                        threshold,
                        scale,
                        rate,
                        rate / 1000,
                        on.w.rows(),
                        a.rows(),
                        coefficients.data(),
                        lengths.data(),
                        on.coast(),
                        coasts ? velocity.rows() : Rows<T>{},
                        flow,
                        static_cast<T>(coasts ? 0.5 : 1)};
    };
    backward<T>(descend(batch.plain(), other, other_a, other_velocity));
    const Descent<T> descent = descend(batch.view(), w, a, a_velocity);
    const Step<T> moved{view.begins, view.samples, coefficients.data(), lengths.data(), descent.gain};
    if (step % 2 == 0) {
      int64_t measured = 0;
      ahead = drift_step<T>(index.state, descent, batch.known(), next.known(), index.order.data(), work,
                            measured);
    } else {
      backward<T>(descent);
      drift_moved<T>(index.state, moved, w.view(index.order.data()), batch.known());
      ahead = FireSet<T>();
    }
    check(w.w.data == other.w.data && w.v.data == other.v.data && a.data == other_a.data,
          "both ways to take a step move alike");
    if (!coasts) check_moves(before, w.w, fires, lengths);
    if (coasts && step == 3) {
      const Matrix<T> present = w.present();
      drift_settle<T>(index.state, w.view(index.order.data()));
      w.settle();
      check(w.w.data == present.data, "to settle changes no weight");
    }
    screened_refresh<T>(screened.weights, w.view(), lengths.data());
    for (const CorrelationIndex<T>& kind : trees) kind.moved(w, moved, batch);
    if (step == 2 && shape.n_tabled > 0) index.refresh(w, threshold, {shape.n_tabled - 1});
    if (step == 5) index.refresh(w, threshold, blocks);
  }
  return w.present().data;
}

// All ways to compute give the same bits: any number of threads, any instruction set that has fused
// multiply-add.
template <class T>
void check_all_ways(const char* precision) {
  const Shape shapes[] = {{1, 1, 1, 1, 0, 1},       {1, 5, 3, 2, 2, 1},       {63, 3, 9, 2, 0, 1},
                          {64, 16, 64, 16, 4, 1},   {65, 17, 50, 3, 17, 2},   {130, 33, 65, 1, 8, 3},
                          {200, 70, 97, 10, 20, 2}, {300, 129, 31, 17, 32, 0}};
  bool odd = false;
  for (Shape shape : shapes) {
    odd = !odd;
    // Coded or not, coasting or not: two of the four for each shape, in turn, and both kinds of table.
    for (const auto& [coded, coasts] : {std::pair(false, odd), {true, !odd}}) {
      shape.packed = coded;
      std::map<bool, std::vector<T>> expected;  // by whether multiply-adds are fused
      for (const std::string& set : sets_to_check()) {
        for (const int count : kThreadCounts) {
          if (count == 1 && !expected.empty()) continue;  // threads are compared on the first set
          where = set + ", " + precision + ", " + std::to_string(count) + " threads, width " +
                  std::to_string(shape.width) + (coded ? ", coded" : "") + (coasts ? ", coasting" : "");
          use_instruction_set(set);
          set_threads(count);
          const std::vector<T> weights = walk<T>(shape, coded, coasts);
          const auto first = expected.emplace(set != "base", weights).first;
          check(weights == first->second, "all ways to compute give the same weights");
        }
      }
      if (expected.count(true)) add_to_checksum(expected[true]);
    }
  }
}

}  // namespace

void check_all_ways() {
  check_all_ways<float>("float");
#ifndef __SANITIZE_THREAD__  // both share their work among threads alike
  check_all_ways<double>("double");
#endif
}

}  // namespace fewfire::selftest
