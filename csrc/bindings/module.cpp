// The Python module `fewfire._core`: arrays in, arrays out. The Python side has checked shapes, types
// and finiteness; nothing is converted or copied here, and the GIL is released while a kernel runs.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "core/codes.h"
#include "core/fire_set.h"
#include "core/pool.h"
#include "halfspace/halfspace_tree.h"
#include "indexes/correlation_tree.h"
#include "indexes/drift.h"
#include "indexes/exhaustive.h"
#include "indexes/fire_lists.h"
#include "indexes/proposals.h"
#include "indexes/screened.h"
#include "indexes/weight_tree.h"
#include "kernels/instruction_set.h"
#include "kernels/words.h"
#include "networks/descent.h"
#include "networks/structured.h"
#include "networks/weights.h"
#include "training/gram.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace fewfire {
namespace {

template <class T>
using Vector = nb::ndarray<T, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Matrix = nb::ndarray<T, nb::numpy, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Cube = nb::ndarray<T, nb::numpy, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

template <class T>
Rows<T> rows(const Matrix<T>& m) {
  return {m.data(), static_cast<int64_t>(m.shape(0)), static_cast<int64_t>(m.shape(1))};
}

template <class T>
Vector<T> owned(std::unique_ptr<T[]> data, size_t count) {
  T* raw = data.release();
  nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return Vector<T>(raw, {count}, owner);
}

Vector<int64_t> counts(const std::vector<int64_t>& v) {
  std::unique_ptr<int64_t[]> copy(new int64_t[v.size()]);
  std::copy(v.begin(), v.end(), copy.get());
  return owned(std::move(copy), v.size());
}

// (begins, samples, values, and by block: near, sketched, dots, fired)
template <class T>
nb::tuple as_tuple(FireSet<T> fires, int64_t n_neurons, const FireWork& work) {
  const auto pairs = static_cast<size_t>(fires.begins[n_neurons]);
  return nb::make_tuple(owned(std::move(fires.begins), n_neurons + 1), owned(std::move(fires.samples), pairs),
                        owned(std::move(fires.values), pairs), counts(work.near), counts(work.sketched),
                        counts(work.dots), counts(work.fired), counts(work.filter_ns), counts(work.dot_ns),
                        counts(work.move_ns), counts(work.drift_ns));
}

nb::tuple as_tuple(const CorrelationWork& work) {
  return nb::make_tuple(work.recomputed, work.gram_products, work.maxima);
}

// A batch of samples. `codes` has no rows where the samples cannot be coded.
template <class T>
struct SampleArrays {
  Matrix<const T> rows;
  Vector<const T> norms;
  Matrix<const int16_t> codes;

  Samples<T> view() const {
    return {fewfire::rows(rows), norms.data(), codes.shape(0) > 0 ? codes.data() : nullptr};
  }
};

// The weights, and how they coast: time, and where it leads, lives here.
template <class T>
struct WeightArrays {
  Matrix<T> rows, velocity;  // the second has no rows without momentum
  Vector<int32_t> since;     // has none where nothing coasts
  std::vector<Flow> flows{kNoFlow};

  int32_t now() const { return static_cast<int32_t>(flows.size()) - 1; }
  bool coasts() const { return since.shape(0) > 0; }

  Coast<T> coast() {
    if (!coasts()) return {};
    return {velocity.shape(0) > 0 ? fewfire::rows(velocity) : Rows<T>{}, since.data(), flows.data(), now()};
  }
  Weights<T> view(const int32_t* order = nullptr) {
    const Rows<T> all = fewfire::rows(rows);
    return {{all.data, all.count, all.stride, order}, coast()};
  }

  void advance(const Flow& step) {
    for (Flow& flow : flows) flow = step.after(flow);
    flows.push_back(kNoFlow);
  }
  void restart() {
    std::fill_n(since.data(), since.shape(0), 0);
    flows.assign(1, kNoFlow);
  }
};

// The drift index's knowledge of a batch, and of the neurons: arrays that the Python side made and shares.
template <class T>
struct DriftBatchArrays {
  SampleArrays<T> x;
  Vector<const int32_t> ids;
  Matrix<const T> sketch;
  Vector<const T> perps;

  DriftBatch<T> view() const { return {x.view(), ids.data(), rows(sketch), perps.data()}; }
};

// The weights in eight bits as the Python class ScreenedIndex holds them.
ScreenedWeights screened_weights(Vector<const int32_t> columns, Cube<int8_t> bytes, Matrix<int32_t> offsets,
                                 Cube<float> terms) {
  const auto features = static_cast<int64_t>(4 * bytes.shape(1));
  return {{columns.data(), static_cast<int64_t>(columns.shape(0)), features},
          bytes.data(),
          offsets.data(),
          terms.data()};
}

CodeTable code_table(const Cube<uint8_t>& table) {
  return {table.data(), static_cast<int64_t>(table.shape(1)), static_cast<int64_t>(table.shape(2))};
}

template <class T>
Structure<T> structure_of(const Cube<const T>& signs, const Vector<const T>& scales) {
  return {signs.data(), scales.data(), static_cast<int64_t>(signs.shape(2)),
          static_cast<int64_t>(scales.shape(0))};
}

// Correlation trees as their Python class holds them.
template <class T>
struct CorrelationArrays {
  bool by_sample;
  Matrix<T> nodes;
  Matrix<double> bounds;
  Matrix<const T> gram;  // has no rows where it is not kept
  double gram_error, largest_norm;

  CorrelationTrees<T> view() const {
    static_assert(sizeof(Correlations) == 2 * sizeof(double), "a row of the bounds is one Correlations");
    const auto columns = static_cast<int64_t>(nodes.shape(1));
    return {by_sample,
            static_cast<int64_t>(bounds.shape(0)),
            by_sample ? columns : columns / 2,
            nodes.data(),
            reinterpret_cast<Correlations*>(bounds.data()),
            gram.shape(0) > 0 ? rows(gram) : Rows<const T>{},
            gram_error,
            largest_norm};
  }
};

template <class T>
void bind_correlations(nb::module_& m, const std::string& suffix) {
  using InVector = Vector<const T>;

  nb::class_<CorrelationArrays<T>>(m, ("CorrelationTrees_" + suffix).c_str())
      .def(nb::new_([](bool by_sample, Matrix<T> nodes, Matrix<double> bounds, Matrix<const T> gram,
                       double gram_error, double largest_norm) {
             return new CorrelationArrays<T>{by_sample, nodes, bounds, gram, gram_error, largest_norm};
           }),
           "by_sample"_a, "nodes"_a.noconvert(), "bounds"_a.noconvert(), "gram"_a.noconvert(), "gram_error"_a,
           "largest_norm"_a);

  // Both tell what they did: (recomputed, gram_products, maxima).
  m.def(
      "correlation_refresh",
      [](const CorrelationArrays<T>& trees, WeightArrays<T>& w, const SampleArrays<T>& x) {
        CorrelationWork work;
        {
          nb::gil_scoped_release release;
          work = correlation_refresh<T>(trees.view(), w.view(), x.view());
        }
        return as_tuple(work);
      },
      "trees"_a, "w"_a, "x"_a);

  m.def(
      "correlation_moved",
      [](const CorrelationArrays<T>& trees, WeightArrays<T>& w, const SampleArrays<T>& x,
         Vector<const int64_t> begins, Vector<const int32_t> samples, InVector coefficients,
         Vector<const double> lengths, Vector<const int32_t> ids) {
        const Step<T> step{begins.data(), samples.data(), coefficients.data(), lengths.data()};
        CorrelationWork work;
        {
          nb::gil_scoped_release release;
          work = correlation_moved<T>(trees.view(), step, ids.data(), w.view(), x.view());
        }
        return as_tuple(work);
      },
      "trees"_a, "w"_a, "x"_a, "begins"_a.noconvert(), "samples"_a.noconvert(), "coefficients"_a.noconvert(),
      "lengths"_a.noconvert(), "ids"_a.noconvert());

  // The tuple of a fire set, and how many nodes were compared with the threshold.
  m.def(
      "correlation_fire_set",
      [](const CorrelationArrays<T>& trees, WeightArrays<T>& w, const SampleArrays<T>& batch,
         Vector<const int32_t> ids, T threshold) {
        FireSet<T> fires;
        FireWork work;
        int64_t compared = 0;
        {
          nb::gil_scoped_release release;
          fires = correlation_fire_set<T>(trees.view(), batch.view(), ids.data(), w.view(), threshold, work,
                                          compared);
        }
        return nb::make_tuple(as_tuple(std::move(fires), w.rows.shape(0), work), compared);
      },
      "trees"_a, "w"_a, "batch"_a, "ids"_a.noconvert(), "threshold"_a);
}

void bind_fire_lists(nb::module_& m) {
  nb::class_<FireLists>(m, "FireLists")
      .def(nb::init<int64_t, int64_t>(), "n_neurons"_a, "n_samples"_a)
      .def_prop_ro("nbytes", &FireLists::bytes)
      .def("of_neuron", &FireLists::of_neuron)
      .def("of_sample", &FireLists::of_sample)
      .def(
          "replace",
          [](FireLists& self, Vector<const int32_t> neurons, Vector<const int64_t> begins,
             Vector<const int32_t> samples) {
            nb::gil_scoped_release release;
            self.replace(neurons.data(), static_cast<int64_t>(neurons.shape(0)),
                         {begins.data(), samples.data()});
          },
          "neurons"_a.noconvert(), "begins"_a.noconvert(), "samples"_a.noconvert());
}

// The fire set of a batch from the lists of the whole training set.
template <class T>
void bind_listed(nb::module_& m) {
  m.def(
      "listed_fire_set",
      [](const FireLists& lists, Vector<const int32_t> ids, WeightArrays<T>& w, const SampleArrays<T>& x,
         T threshold) {
        FireSet<T> fires;
        FireWork work;
        {
          nb::gil_scoped_release release;
          std::vector<int64_t> begins(w.rows.shape(0) + 1);
          const std::vector<int32_t> positions =
              lists.of_batch(ids.data(), static_cast<int64_t>(ids.shape(0)), begins.data());
          fires =
              proposed_fire_set<T>({begins.data(), positions.data()}, w.view(), x.view(), threshold, work);
        }
        return as_tuple(std::move(fires), w.rows.shape(0), work);
      },
      "lists"_a, "ids"_a.noconvert(), "w"_a, "x"_a, "threshold"_a);
}

template <class T>
void bind_structured(nb::module_& m) {
  using In = Matrix<const T>;
  using InVector = Vector<const T>;

  m.def(
      "structured_rows",
      [](Cube<const T> signs, InVector scales, int64_t n_features, Matrix<T> out) {
        const Structure<T> structure = structure_of<T>(signs, scales);
        nb::gil_scoped_release release;
        structured_rows<T>(structure, n_features, rows(out));
      },
      "signs"_a.noconvert(), "scales"_a.noconvert(), "n_features"_a, "rows"_a.noconvert());

  m.def(
      "structured_products",
      [](Cube<const T> signs, InVector scales, In x, Matrix<T> products) {
        const Structure<T> structure = structure_of<T>(signs, scales);
        nb::gil_scoped_release release;
        structured_products<T>(structure, rows(x), products.data());
      },
      "signs"_a.noconvert(), "scales"_a.noconvert(), "x"_a.noconvert(), "products"_a.noconvert());

  m.def(
      "structured_lines",
      [](Cube<const T> signs, InVector scales, Vector<const int32_t> order, In x, InVector inverse_norms,
         T threshold, Vector<const double> lost, int64_t first, int64_t count, Cube<uint8_t> table,
         double largest_norm, double resolution, double zero) {
        const Structure<T> structure = structure_of<T>(signs, scales);
        nb::gil_scoped_release release;
        structured_lines<T>(structure, order.data(), rows(x), inverse_norms.data(), threshold, lost.data(),
                            first, count, largest_norm, {resolution, zero},
                            static_cast<int64_t>(table.shape(0)), code_table(table));
      },
      "signs"_a.noconvert(), "scales"_a.noconvert(), "order"_a.noconvert(), "x"_a.noconvert(),
      "inverse_norms"_a.noconvert(), "threshold"_a, "lost"_a.noconvert(), "first"_a, "count"_a,
      "table"_a.noconvert(), "largest_norm"_a, "resolution"_a, "zero"_a);
}

template <class T>
struct DriftArrays {
  Vector<const int32_t> order;
  Cube<uint8_t> table;
  Matrix<int16_t> reference;
  Matrix<double> drift;
  Matrix<T> sketch;
  Vector<T> perps, slacks;
  Vector<uint8_t> reach;
  double largest_norm, resolution, zero;
  Matrix<double> motion;      // has no rows where nothing coasts
  Matrix<T> velocity_sketch;  // nor these two without momentum
  Matrix<const T> directions;

  DriftState<T> view() const {
    static_assert(sizeof(Drift) == 8 * sizeof(double), "a row of the drift array is one Drift");
    static_assert(sizeof(Motion) == 9 * sizeof(double), "a row of the motion array is one Motion");
    return {code_table(table),
            rows(reference),
            reinterpret_cast<Drift*>(drift.data()),
            rows(sketch),
            perps.data(),
            slacks.data(),
            reach.data(),
            largest_norm,
            {resolution, zero},
            motion.shape(0) > 0 ? reinterpret_cast<Motion*>(motion.data()) : nullptr,
            rows(velocity_sketch),
            rows(directions)};
  }
};

template <class T>
struct DescentArrays {
  Vector<const int64_t> begins;
  Vector<const int32_t> samples;
  Vector<const T> values;
  Matrix<const T> residual;
  SampleArrays<T> x;
  T threshold, scale, rate, a_rate;
  nb::object weights;
  Matrix<T> a;
  Vector<T> coefficients;
  Vector<double> lengths;
  Matrix<T> a_velocity;  // has no rows without momentum
  Flow flow;
  T gain;

  WeightArrays<T>& w() const { return *nb::inst_ptr<WeightArrays<T>>(weights); }

  Descent<T> view() const {
    return {{begins.data(), samples.data(), values.data()},
            rows(residual),
            x.view(),
            threshold,
            scale,
            rate,
            a_rate,
            rows(w().rows),
            rows(a),
            coefficients.data(),
            lengths.data(),
            w().coast(),
            a_velocity.shape(0) > 0 ? rows(a_velocity) : Rows<T>{},
            flow,
            gain};
  }
};

template <class T>
void bind(nb::module_& m, const std::string& suffix) {
  using In = Matrix<const T>;
  using InVector = Vector<const T>;
  const auto named = [&](const char* name) { return name + ("_" + suffix); };

  nb::class_<SampleArrays<T>>(m, named("Samples").c_str())
      .def(nb::new_([](In rows, InVector norms, Matrix<const int16_t> codes) {
             return new SampleArrays<T>{rows, norms, codes};
           }),
           "rows"_a.noconvert(), "norms"_a.noconvert(), "codes"_a.noconvert());

  nb::class_<WeightArrays<T>>(m, named("Weights").c_str())
      .def(nb::new_([](Matrix<T> rows, Matrix<T> velocity, Vector<int32_t> since) {
             return new WeightArrays<T>{rows, velocity, since};
           }),
           "rows"_a.noconvert(), "velocity"_a.noconvert(), "since"_a.noconvert())
      .def_prop_ro("now", &WeightArrays<T>::now)
      .def("flow",
           [](WeightArrays<T>& self, int32_t time) {
             const Flow f = self.coast().flow(time);
             return std::vector<double>{f.p, f.q, f.r, f.s};
           })
      .def("advance", [](WeightArrays<T>& self,
                         const std::vector<double>& f) { self.advance({f[0], f[1], f[2], f[3]}); })
      .def("restart", &WeightArrays<T>::restart)
      .def("settle",
           [](WeightArrays<T>& self) {
             nb::gil_scoped_release release;
             settle<T>(rows(self.rows), self.coast());
             self.restart();
           })
      .def("present", [](WeightArrays<T>& self, Matrix<T> out) {
        const Weights<T> w = self.view();
        for (int64_t r = 0; r < w.count(); ++r) {
          T* row = rows(out)[r];
          const T* now = w.row(r, row);
          if (now != row) std::copy_n(now, w.stride(), row);
        }
      });

  nb::class_<DescentArrays<T>>(m, named("Descent").c_str())
      .def(nb::new_([](Vector<const int64_t> begins, Vector<const int32_t> samples, InVector values,
                       In residual, const SampleArrays<T>& x, T threshold, T scale, T rate, T a_rate,
                       nb::object weights, Matrix<T> a, Vector<T> coefficients, Vector<double> lengths,
                       Matrix<T> a_velocity, const std::vector<double>& flow, T gain) {
             return new DescentArrays<T>{
                 begins,    samples,      values,  residual,   x,
                 threshold, scale,        rate,    a_rate,     weights,
                 a,         coefficients, lengths, a_velocity, {flow[0], flow[1], flow[2], flow[3]},
                 gain};
           }),
           "begins"_a.noconvert(), "samples"_a.noconvert(), "values"_a.noconvert(), "residual"_a.noconvert(),
           "x"_a, "threshold"_a, "scale"_a, "rate"_a, "a_rate"_a, "w"_a, "a"_a.noconvert(),
           "coefficients"_a.noconvert(), "lengths"_a.noconvert(), "a_velocity"_a.noconvert(), "flow"_a,
           "gain"_a);

  nb::class_<DriftBatchArrays<T>>(m, named("DriftBatch").c_str())
      .def(nb::new_([](const SampleArrays<T>& x, Vector<const int32_t> ids, In sketch, InVector perps) {
             return new DriftBatchArrays<T>{x, ids, sketch, perps};
           }),
           "x"_a, "ids"_a.noconvert(), "sketch"_a.noconvert(), "perps"_a.noconvert());

  nb::class_<DriftArrays<T>>(m, named("DriftState").c_str())
      .def(nb::new_([](Vector<const int32_t> order, Cube<uint8_t> table, Matrix<int16_t> reference,
                       Matrix<double> drift, Matrix<T> sketch, Vector<T> perps, Vector<T> slacks,
                       Vector<uint8_t> reach, double largest_norm, double resolution, double zero,
                       Matrix<double> motion, Matrix<T> velocity_sketch, In directions) {
             return new DriftArrays<T>{order, table,  reference,       drift,        sketch,
                                       perps, slacks, reach,           largest_norm, resolution,
                                       zero,  motion, velocity_sketch, directions};
           }),
           "order"_a.noconvert(), "table"_a.noconvert(), "reference"_a.noconvert(), "drift"_a.noconvert(),
           "sketch"_a.noconvert(), "perps"_a.noconvert(), "slacks"_a.noconvert(), "reach"_a.noconvert(),
           "largest_norm"_a, "resolution"_a, "zero"_a, "motion"_a.noconvert(),
           "velocity_sketch"_a.noconvert(), "directions"_a.noconvert());

  m.def(
      "exhaustive_fire_set",
      [](WeightArrays<T>& w, const SampleArrays<T>& x, T threshold) {
        FireSet<T> fires;
        FireWork work;
        {
          nb::gil_scoped_release release;
          fires = exhaustive_fire_set<T>(w.view(), x.view(), threshold, work);
        }
        return as_tuple(std::move(fires), w.rows.shape(0), work);
      },
      "w"_a, "x"_a, "threshold"_a);

  m.def(
      "proposed_fire_set",
      [](Vector<const int64_t> begins, Vector<const int32_t> samples, WeightArrays<T>& w,
         const SampleArrays<T>& x, T threshold) {
        FireSet<T> fires;
        FireWork work;
        {
          nb::gil_scoped_release release;
          fires = proposed_fire_set<T>({begins.data(), samples.data()}, w.view(), x.view(), threshold, work);
        }
        return as_tuple(std::move(fires), w.rows.shape(0), work);
      },
      "begins"_a.noconvert(), "samples"_a.noconvert(), "w"_a, "x"_a, "threshold"_a);

  m.def(
      "drift_fire_set",
      [](const DriftArrays<T>& state, const DriftBatchArrays<T>& batch, WeightArrays<T>& w, T threshold) {
        FireSet<T> fires;
        FireWork work;
        {
          nb::gil_scoped_release release;
          fires = drift_fire_set<T>(state.view(), batch.view(), w.view(state.order.data()), threshold, work);
        }
        return as_tuple(std::move(fires), w.rows.shape(0), work);
      },
      "state"_a, "batch"_a, "w"_a, "threshold"_a);

  // The largest norm of a row of words, and what is lost of a row at most, beside its norm.
  m.def(
      "word_inputs",
      [](In x, Matrix<int16_t> words, Vector<T> units) {
        nb::gil_scoped_release release;
        const WordLimits limits =
            word_inputs<T>(rows(x), static_cast<int64_t>(words.shape(1)), words.data(), units.data());
        return std::make_pair(limits.largest, limits.lost);
      },
      "x"_a.noconvert(), "words"_a.noconvert(), "units"_a.noconvert());

  m.def(
      "drift_refresh",
      [](const DriftArrays<T>& state, WeightArrays<T>& w, Matrix<const int16_t> words, InVector units,
         std::pair<double, double> limits, InVector inverse_norms, T threshold,
         Vector<const int64_t> blocks) {
        const WordInputs<T> x{words.data(),
                              units.data(),
                              static_cast<int64_t>(words.shape(0)),
                              static_cast<int64_t>(words.shape(1)),
                              limits.first,
                              limits.second};
        nb::gil_scoped_release release;
        drift_refresh<T>(state.view(), w.view(state.order.data()), x, inverse_norms.data(), threshold,
                         blocks.data(), blocks.shape(0));
      },
      "state"_a, "w"_a, "words"_a.noconvert(), "units"_a.noconvert(), "limits"_a,
      "inverse_norms"_a.noconvert(), "threshold"_a, "blocks"_a.noconvert());

  m.def(
      "drift_moved",
      [](const DriftArrays<T>& state, const DriftBatchArrays<T>& batch, WeightArrays<T>& w,
         Vector<const int64_t> begins, Vector<const int32_t> samples, InVector coefficients,
         Vector<const double> lengths, T gain) {
        const Step<T> step{begins.data(), samples.data(), coefficients.data(), lengths.data(), gain};
        nb::gil_scoped_release release;
        return drift_moved<T>(state.view(), step, w.view(state.order.data()), batch.view());
      },
      "state"_a, "batch"_a, "w"_a, "begins"_a.noconvert(), "samples"_a.noconvert(),
      "coefficients"_a.noconvert(), "lengths"_a.noconvert(), "gain"_a);

  m.def(
      "drift_settle",
      [](const DriftArrays<T>& state, WeightArrays<T>& w) {
        nb::gil_scoped_release release;
        drift_settle<T>(state.view(), w.view(state.order.data()));
      },
      "state"_a, "w"_a);

  // The tuple of a fire set, and how many neurons were measured.
  m.def(
      "drift_step",
      [](const DriftArrays<T>& state, const DescentArrays<T>& descent, const DriftBatchArrays<T>& batch,
         const DriftBatchArrays<T>& next) {
        FireSet<T> fires;
        FireWork work;
        int64_t measured = 0;
        {
          nb::gil_scoped_release release;
          fires = drift_step<T>(state.view(), descent.view(), batch.view(), next.view(), state.order.data(),
                                work, measured);
        }
        return nb::make_tuple(as_tuple(std::move(fires), descent.w().rows.shape(0), work), measured);
      },
      "state"_a, "descent"_a, "batch"_a, "next"_a);

  m.def(
      "screened_refresh",
      [](WeightArrays<T>& w, Vector<const double> lengths, Vector<const int32_t> columns, Cube<int8_t> bytes,
         Matrix<int32_t> offsets, Cube<float> terms) {
        const ScreenedWeights screened = screened_weights(columns, bytes, offsets, terms);
        nb::gil_scoped_release release;
        screened_refresh<T>(screened, w.view(), lengths.data());
      },
      "w"_a, "lengths"_a.noconvert(), "columns"_a.noconvert(), "bytes"_a.noconvert(), "offsets"_a.noconvert(),
      "terms"_a.noconvert());

  m.def(
      "screened_bounds",
      [](In x, Cube<float> bounds, Vector<const int32_t> columns, Cube<int8_t> bytes, Matrix<int32_t> offsets,
         Cube<float> terms) {
        const ScreenedWeights screened = screened_weights(columns, bytes, offsets, terms);
        nb::gil_scoped_release release;
        const ScreenedInputs<T> inputs(screened.columns, rows(x));
        const auto count = static_cast<int64_t>(x.shape(0));
        parallel_for(static_cast<int64_t>(bounds.shape(0)), [&](int64_t block) {
          screened_bounds(screened, block, inputs, 0, count, bounds.data() + block * count * kBlock);
        });
      },
      "x"_a.noconvert(), "bounds"_a.noconvert(), "columns"_a.noconvert(), "bytes"_a.noconvert(),
      "offsets"_a.noconvert(), "terms"_a.noconvert());

  m.def(
      "screened_fire_set",
      [](WeightArrays<T>& w, const SampleArrays<T>& x, T threshold, Vector<const int32_t> columns,
         Cube<int8_t> bytes, Matrix<int32_t> offsets, Cube<float> terms) {
        const ScreenedWeights screened = screened_weights(columns, bytes, offsets, terms);
        FireSet<T> fires;
        FireWork work;
        {
          nb::gil_scoped_release release;
          fires = screened_fire_set<T>(screened, w.view(), x.view(), threshold, work);
        }
        return as_tuple(std::move(fires), w.rows.shape(0), work);
      },
      "w"_a, "x"_a, "threshold"_a, "columns"_a.noconvert(), "bytes"_a.noconvert(), "offsets"_a.noconvert(),
      "terms"_a.noconvert());

  m.def(
      "forward",
      [](Vector<const int64_t> begins, Vector<const int32_t> samples, InVector values, In a, T threshold,
         T scale, Matrix<T> outputs) {
        const FireView<T> fires{begins.data(), samples.data(), values.data()};
        nb::gil_scoped_release release;
        forward<T>(fires, rows(a), threshold, scale, rows(outputs));
      },
      "begins"_a.noconvert(), "samples"_a.noconvert(), "values"_a.noconvert(), "a"_a.noconvert(),
      "threshold"_a, "scale"_a, "outputs"_a.noconvert());

  m.def(
      "backward",
      [](const DescentArrays<T>& descent) {
        nb::gil_scoped_release release;
        backward<T>(descent.view());
      },
      "descent"_a);

  m.def(
      "fire_gram",
      [](Vector<const int64_t> begins, Vector<const int32_t> samples, InVector values,
         Vector<const double> weights, T threshold, bool activations, Matrix<double> gram) {
        const FireView<T> fires{begins.data(), samples.data(), values.data()};
        nb::gil_scoped_release release;
        fire_gram<T>(fires, weights.data(), static_cast<int64_t>(begins.shape(0)) - 1, gram.shape(0),
                     threshold, activations, gram.data());
      },
      "begins"_a.noconvert(), "samples"_a.noconvert(), "values"_a.noconvert(), "weights"_a.noconvert(),
      "threshold"_a, "activations"_a, "gram"_a.noconvert());

  m.def(
      "fire_counts",
      [](Vector<const int64_t> begins, Vector<const int32_t> samples, InVector values,
         Matrix<double> counts) {
        const FireView<T> fires{begins.data(), samples.data(), values.data()};
        nb::gil_scoped_release release;
        fire_counts<T>(fires, static_cast<int64_t>(begins.shape(0)) - 1, counts.shape(0), counts.data());
      },
      "begins"_a.noconvert(), "samples"_a.noconvert(), "values"_a.noconvert(), "counts"_a.noconvert());

  m.def(
      "fire_dots",
      [](Vector<const int64_t> begins, Vector<const int32_t> samples, In w, const SampleArrays<T>& x,
         Vector<T> products) {
        const FireView<T> fires{begins.data(), samples.data(), nullptr};
        nb::gil_scoped_release release;
        fire_dots<T>(fires, rows(w), x.view(), products.data());
      },
      "begins"_a.noconvert(), "samples"_a.noconvert(), "w"_a.noconvert(), "x"_a, "products"_a.noconvert());

  m.def(
      "gram_dots",
      [](Vector<const int64_t> begins, Vector<const int32_t> samples, In a, In v, const SampleArrays<T>& x,
         Vector<T> products) {
        const FireView<T> fires{begins.data(), samples.data(), nullptr};
        nb::gil_scoped_release release;
        gram_dots<T>(fires, rows(a), rows(v), x.view(), products.data());
      },
      "begins"_a.noconvert(), "samples"_a.noconvert(), "a"_a.noconvert(), "v"_a.noconvert(), "x"_a,
      "products"_a.noconvert());
}

// (begins, ids) of `count` questions or points
nb::tuple as_tuple(Reports reports, int64_t count) {
  const auto pairs = static_cast<size_t>(reports.begins[count]);
  return nb::make_tuple(owned(std::move(reports.begins), count + 1), owned(std::move(reports.ids), pairs));
}

template <class T>
void bind_halfspace(nb::module_& m, const std::string& suffix) {
  using Tree = HalfspaceTree<T>;
  using In = Matrix<const T>;
  using Ids = Vector<const int32_t>;

  nb::class_<Tree>(m, ("HalfspaceTree_" + suffix).c_str())
      .def(nb::init<int64_t>(), "n_features"_a)
      .def("__len__", &Tree::size)
      .def_prop_ro("nbytes", &Tree::bytes)
      .def_prop_ro("depth", &Tree::depth)
      .def_prop_ro("consistent", &Tree::consistent)
      .def_prop_ro("work",
                   [](const Tree& self) {
                     const TreeWork& w = self.work();
                     return nb::make_tuple(w.nodes, w.tested, w.decided, w.placed);
                   })
      .def("holds",
           [](const Tree& self, Vector<const int64_t> ids) {
             return std::all_of(ids.data(), ids.data() + ids.shape(0),
                                [&](int64_t id) { return id >= 0 && self.holds(id); });
           })
      .def(
          "insert",
          [](Tree& self, Ids ids, In points) {
            nb::gil_scoped_release release;
            self.insert(ids.data(), rows(points));
          },
          "ids"_a.noconvert(), "points"_a.noconvert())
      .def(
          "remove",
          [](Tree& self, Ids ids) {
            nb::gil_scoped_release release;
            self.remove(ids.data(), ids.shape(0));
          },
          "ids"_a.noconvert())
      .def(
          "move",
          [](Tree& self, Ids ids, In points) {
            nb::gil_scoped_release release;
            self.move(ids.data(), rows(points));
          },
          "ids"_a.noconvert(), "points"_a.noconvert())
      .def(
          "copy",
          [](const Tree& self, Ids ids, Matrix<T> points) {
            self.copy(ids.data(), ids.shape(0), points.data());
          },
          "ids"_a.noconvert(), "points"_a.noconvert())
      .def(
          "report",
          [](Tree& self, In normals, Vector<const T> offsets, bool propose) {
            Reports reports;
            {
              nb::gil_scoped_release release;
              reports = self.report(rows(normals), offsets.data(), propose);
            }
            return as_tuple(std::move(reports), normals.shape(0));
          },
          "normals"_a.noconvert(), "offsets"_a.noconvert(), "propose"_a)
      .def(
          "proposed_to",
          [](Tree& self, In normals, Vector<const T> offsets, int64_t n_ids) {
            Reports reports;
            {
              nb::gil_scoped_release release;
              reports = self.proposed_to(rows(normals), offsets.data(), n_ids);
            }
            return as_tuple(std::move(reports), n_ids);
          },
          "normals"_a.noconvert(), "offsets"_a.noconvert(), "n_ids"_a)
      .def(
          "count",
          [](Tree& self, In normals, Vector<const T> offsets) {
            nb::gil_scoped_release release;
            return self.count(rows(normals), offsets.data());
          },
          "normals"_a.noconvert(), "offsets"_a.noconvert());

  m.def(
      "weight_tree_refresh",
      [](Tree& tree, WeightArrays<T>& w) {
        nb::gil_scoped_release release;
        weight_tree_refresh<T>(tree, w.view());
      },
      "tree"_a, "w"_a);
  m.def(
      "weight_tree_moved",
      [](Tree& tree, Vector<const double> lengths) {
        nb::gil_scoped_release release;
        weight_tree_moved<T>(tree, lengths.data());
      },
      "tree"_a, "lengths"_a.noconvert());
}

}  // namespace

NB_MODULE(_core, m) {
  m.doc() = "The compiled kernels of fewfire. Internal: nothing is checked here.";
  m.attr("block") = kBlock;
  m.def("threads", &threads);
  m.def("set_threads", &set_threads, "count"_a);
  m.def("instruction_set", &instruction_set);
  m.def("available_instruction_sets", &available_instruction_sets);
  m.def("use_instruction_set", &use_instruction_set, "name"_a);
  m.def(
      "can_be_coded",
      [](Matrix<const float> x) {
        nb::gil_scoped_release release;
        return can_be_coded(rows(x));
      },
      "x"_a.noconvert());
  m.def(
      "code_rows",
      [](Matrix<const float> x, Matrix<int16_t> codes) {
        nb::gil_scoped_release release;
        code_rows(rows(x), codes.data());
      },
      "x"_a.noconvert(), "codes"_a.noconvert());
  bind<float>(m, "float32");
  bind<double>(m, "float64");
  bind_correlations<float>(m, "float32");
  bind_correlations<double>(m, "float64");
  bind_fire_lists(m);
  bind_listed<float>(m);
  bind_listed<double>(m);
  bind_structured<float>(m);
  bind_structured<double>(m);
  bind_halfspace<float>(m, "float32");
  bind_halfspace<double>(m, "float64");
}

}  // namespace fewfire
