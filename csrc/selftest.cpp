// A check of the core without Python, to be run under sanitizers: every instruction set, both precisions,
// one thread and three, odd shapes. The screened and the drift index and both kinds of correlation trees must
// find the fire sets of the exhaustive one while neurons move and blocks are refreshed, and all must agree
// with plain loops in double.
//
// Prints how many checks passed; exits with 1 at the first that does not.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "codes.h"
#include "correlation_tree.h"
#include "drift.h"
#include "fire_lists.h"
#include "fire_set.h"
#include "gradient.h"
#include "halfspace_tree.h"
#include "instruction_set.h"
#include "pool.h"
#include "proposals.h"
#include "screened.h"
#include "structured.h"
#include "weights.h"
#include "words.h"

namespace fewfire {
namespace {

int64_t passed = 0;
std::string where;  // what is being checked, for the message

void check(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "selftest: failed: %s (%s)\n", what, where.c_str());
    std::exit(1);
  }
  ++passed;
}

// Rows of numbers that pad themselves.
template <class T>
struct Matrix {
  int64_t count, columns, stride;
  std::vector<T> data;

  Matrix(int64_t count, int64_t columns)
      : count(count), columns(columns), stride((columns + lanes - 1) / lanes * lanes), data(count * stride) {}
  T* operator[](int64_t i) { return data.data() + i * stride; }
  const T* operator[](int64_t i) const { return data.data() + i * stride; }
  Rows<T> rows() { return {data.data(), count, stride}; }
  Rows<const T> view() const { return {data.data(), count, stride}; }

  static constexpr int64_t lanes = 64 / sizeof(T);
};

template <class T>
Matrix<T> random_matrix(int64_t count, int64_t columns, std::mt19937& random) {
  std::normal_distribution<double> normal;
  Matrix<T> out(count, columns);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t f = 0; f < columns; ++f) out[i][f] = static_cast<T>(normal(random));
  return out;
}

template <class T>
double dot(const T* a, const T* b, int64_t count) {
  double sum = 0;
  for (int64_t f = 0; f < count; ++f) sum += static_cast<double>(a[f]) * b[f];
  return sum;
}

template <class T>
double norm(const T* a, int64_t count) {
  return std::sqrt(dot(a, a, count));
}

// Weights, their velocities, and the time when each row was written, as the Python class Coasting holds them.
template <class T>
struct Coasting {
  Matrix<T> w, v;
  std::vector<int32_t> since;
  std::vector<Flow> flows{kNoFlow};

  Coasting(Matrix<T> weights, bool coasts)
      : w(std::move(weights)), v(coasts ? w.count : 0, w.columns), since(coasts ? w.count : 0) {}

  bool on() const { return !since.empty(); }
  Coast<T> coast() {
    if (!on()) return {};
    return {v.rows(), since.data(), flows.data(), static_cast<int32_t>(flows.size()) - 1};
  }
  Weights<T> view(const int32_t* order = nullptr) {
    return {{w.data.data(), w.count, w.stride, order}, coast()};
  }
  Matrix<T> present() {
    Matrix<T> out = w;
    for (int64_t r = 0; r < w.count; ++r) {
      const T* now = view().row(r, out[r]);
      if (now != out[r]) std::copy_n(now, w.stride, out[r]);
    }
    return out;
  }
  void advance(const Flow& step) {
    for (Flow& flow : flows) flow = step.after(flow);
    flows.push_back(kNoFlow);
  }
  void settle() {
    fewfire::settle<T>(w.rows(), coast());
    flows.assign(1, kNoFlow);
  }
};

struct Shape {
  int64_t width, n_features, n_samples, n_outputs;
  int64_t k;            // directions of the sketch
  int64_t n_tabled;     // blocks of neurons that have a table
  bool packed = false;  // whether it takes half a byte a pair
};

// Lines of the table and the codes that they hold best.
struct TableKind {
  int64_t line_bytes;
  DistanceCode code;
};
TableKind table_kind(bool packed) { return packed ? TableKind{32, {10, 2}} : TableKind{64, {127, 32}}; }

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
  ScreenedWeights weights;

  explicit ScreenedIndex(const Shape& shape)
      : blocks((shape.width + kBlock - 1) / kBlock),
        features((shape.n_features + 3) / 4 * 4),
        bytes(blocks * features * kBlock),
        offsets(blocks * kBlock),
        terms(blocks * kTerms * kBlock),
        weights{{columns.data(), 1, features}, bytes.data(), offsets.data(), terms.data()} {}

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
  ScreenedIndex<T> screened(shape);
  screened_refresh<T>(screened.weights, w.view(), std::vector<double>(shape.width, 1).data());

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
      for (const std::string& set : available_instruction_sets()) {
        for (const int count : {1, 3}) {
          where = set + ", " + precision + ", " + std::to_string(count) + " threads, width " +
                  std::to_string(shape.width) + (coded ? ", coded" : "") + (coasts ? ", coasting" : "");
          use_instruction_set(set);
          set_threads(count);
          const std::vector<T> weights = walk<T>(shape, coded, coasts);
          const auto first = expected.emplace(set != "base", weights).first;
          check(weights == first->second, "all ways to compute give the same weights");
        }
      }
    }
  }
}

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

void check_fire_lists() {
  std::mt19937 random(3);
  for (int count : {1, 3}) {
    set_threads(count);
    where = "lists, " + std::to_string(count) + " threads";
    constexpr int64_t m = 150, n = 70;
    FireLists lists(m, n);
    std::vector<std::vector<int32_t>> by_neuron(m);
    for (int round = 0; round < 10; ++round) {
      std::vector<int32_t> neurons, samples;
      std::vector<int64_t> begins{0};
      for (int32_t r = 0; r < m; ++r) {
        if (random() % 3 == 0) continue;
        by_neuron[r].clear();
        for (int32_t i = 0; i < n; ++i)
          if (random() % 8 < static_cast<unsigned>(round)) by_neuron[r].push_back(i);
        neurons.push_back(r);
        samples.insert(samples.end(), by_neuron[r].begin(), by_neuron[r].end());
        begins.push_back(static_cast<int64_t>(samples.size()));
      }
      lists.replace(neurons.data(), static_cast<int64_t>(neurons.size()), {begins.data(), samples.data()});
      std::vector<std::vector<int32_t>> by_sample(n);
      bool same = true;
      for (int32_t r = 0; r < m; ++r) {
        same &= lists.of_neuron(r) == by_neuron[r];
        for (const int32_t i : by_neuron[r]) by_sample[i].push_back(r);
      }
      for (int64_t i = 0; i < n; ++i) same &= lists.of_sample(i) == by_sample[i];
      check(same, "both families of lists hold what they were given");
    }
  }
}

void check_pool() {
  where = "pool";
  for (int count : {1, 2, 3, 5, 2}) {
    set_threads(count);
    std::vector<int> done(1000, 0);
    parallel_for(1000, [&](int64_t i) { ++done[i]; });
    check(std::all_of(done.begin(), done.end(), [](int times) { return times == 1; }), "each task runs once");

    bool caught = false;
    try {
      parallel_for(1000, [](int64_t i) {
        if (i == 500) throw std::runtime_error("on purpose");
      });
    } catch (const std::runtime_error&) {
      caught = true;
    }
    check(caught, "an exception of a task reaches the caller");
  }

  std::vector<std::vector<int>> done(4, std::vector<int>(1000, 0));
  std::vector<std::thread> callers;
  for (std::vector<int>& mine : done)
    callers.emplace_back([&mine] {
      for (int round = 0; round < 10; ++round) parallel_for(1000, [&mine](int64_t i) { ++mine[i]; });
    });
  for (std::thread& caller : callers) caller.join();
  for (const std::vector<int>& mine : done)
    check(std::all_of(mine.begin(), mine.end(), [](int times) { return times == 10; }),
          "callers at the same time do not disturb each other");
}

// Points of small whole numbers, whose products are exact, come, go and move; loops say which are reported.
template <class T>
void check_halfspaces(const char* type) {
  where = std::string("half-spaces, ") + type;
  std::mt19937 random(11);
  const auto whole = [&](int most) { return std::uniform_int_distribution<int>(-most, most)(random); };
  for (const int64_t d : {1, 2, 3, 5, 20}) {
    HalfspaceTree<T> tree(d);
    std::map<int32_t, std::vector<T>> held;
    for (int round = 0; round < 12; ++round) {
      std::vector<int32_t> some, fresh;
      for (const auto& [id, point] : held)
        if (whole(10) > (round % 3 == 0 ? 8 : 0)) some.push_back(id);
      for (int32_t id = 0; id < 700; ++id)
        if (held.count(id) == 0 && whole(10) > (round % 4 == 0 ? 0 : 8)) fresh.push_back(id);
      std::vector<T> points((some.size() + fresh.size()) * d);
      for (T& value : points) value = static_cast<T>(whole(3));
      const auto n_some = static_cast<int64_t>(some.size()), n_fresh = static_cast<int64_t>(fresh.size());
      const T* more = points.data() + n_some * d;
      tree.insert(fresh.data(), {more, n_fresh, d});
      for (int64_t i = 0; i < n_fresh; ++i) held[fresh[i]].assign(more + i * d, more + (i + 1) * d);
      if (round % 5 == 4) {
        tree.remove(some.data(), n_some);
        for (const int32_t id : some) held.erase(id);
      } else {
        tree.move(some.data(), {points.data(), n_some, d});
        for (int64_t i = 0; i < n_some; ++i)
          held[some[i]].assign(points.begin() + i * d, points.begin() + (i + 1) * d);
      }
      if (round % 3 == 2) {  // a third of the points, all at one time
        tree.revise(0, [](const int32_t* ids, int64_t count, T* columns) {
          bool changed = false;
          for (int64_t lane = 0; lane < count; ++lane) {
            if (ids[lane] % 3 != 0) continue;
            columns[lane] += 1;
            changed = true;
          }
          return changed;
        });
        for (auto& [id, point] : held) point[0] += static_cast<T>(id % 3 == 0);
      }
      check(tree.consistent(), "the tree is sound");
      check(tree.size() == static_cast<int64_t>(held.size()), "no point is lost");

      Matrix<T> normals(30, d);
      std::vector<T> offsets(30);
      for (int64_t i = 0; i < 30; ++i) {
        for (int64_t f = 0; f < d; ++f) normals[i][f] = static_cast<T>(whole(2));
        offsets[i] = static_cast<T>(whole(5));
      }
      set_threads(1 + round % 3);
      const Reports found = tree.report(normals.view(), offsets.data(), false);
      const Reports proposed = tree.proposed_to(normals.view(), offsets.data(), 700);
      const std::vector<int64_t> counts = tree.count(normals.view(), offsets.data());
      for (int64_t i = 0; i < 30; ++i) {
        std::vector<int32_t> expected;
        for (const auto& [id, point] : held)
          if (dot(point.data(), normals[i], d) > offsets[i]) expected.push_back(id);
        const int32_t *first = found.ids.get() + found.begins[i],
                      *end = found.ids.get() + found.begins[i + 1];
        check(std::equal(first, end, expected.begin(), expected.end()), "what is reported");
        check(counts[i] == end - first, "what is counted");
        for (const int32_t id : expected)
          check(std::binary_search(proposed.ids.get() + proposed.begins[id],
                                   proposed.ids.get() + proposed.begins[id + 1], i),
                "what is proposed");
      }
    }
  }
  set_threads(1);
}

}  // namespace
}  // namespace fewfire

int main() {
  fewfire::check_pool();
  fewfire::check_fire_lists();
  fewfire::check_structures();
  fewfire::check_halfspaces<float>("float");
  fewfire::check_halfspaces<double>("double");
  fewfire::check_all_ways<float>("float");
  fewfire::check_all_ways<double>("double");
  std::printf("selftest: %lld checks passed\n", static_cast<long long>(fewfire::passed));
  return 0;
}
