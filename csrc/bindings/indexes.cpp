// The indexes: arrays that the Python classes hold, and what may be asked of them.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstddef>

#include "bindings/gil.h"
#include "bindings/views.h"
#include "core/pool.h"
#include "indexes/correlation_tree.h"
#include "indexes/drift.h"
#include "indexes/exhaustive.h"
#include "indexes/fire_lists.h"
#include "indexes/hashing.h"
#include "indexes/proposals.h"
#include "indexes/screened.h"
#include "indexes/sparse_product.h"
#include "indexes/weight_tree.h"
#include "kernels/words.h"

namespace fewfire {
namespace {

CodeTable code_table(const Cube<uint8_t>& table) {
  return {table.data(), static_cast<int64_t>(table.shape(1)), static_cast<int64_t>(table.shape(2))};
}

// The drift index's knowledge of a batch, and of the neurons: arrays that the Python side made and shares.
template <class T>
struct DriftBatchArrays {
  SampleArrays<T> x;
  Vector<const int32_t> ids;
  Matrix<const T> sketch;
  Vector<const T> perps;

  DriftBatch<T> view() const { return {x.view(), ids.data(), rows(sketch), perps.data()}; }
};

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
  int64_t n_searched;         // blocks
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
            n_searched,
            motion.shape(0) > 0 ? reinterpret_cast<Motion*>(motion.data()) : nullptr,
            rows(velocity_sketch),
            rows(directions)};
  }
};

// The weights in eight bits as the Python class ScreenedIndex holds them.
ScreenedWeights screened_weights(Vector<const int32_t> columns, Cube<int8_t> bytes, Matrix<int32_t> offsets,
                                 Cube<float> terms, Vector<double> drifts, double slack) {
  const auto features = static_cast<int64_t>(4 * bytes.shape(1));
  return {{columns.data(), static_cast<int64_t>(columns.shape(0)), features},
          bytes.data(),
          offsets.data(),
          terms.data(),
          drifts.data(),
          slack};
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

// Hash functions as their Python classes hold them.
template <class T>
struct HashFamilyArrays {
  virtual ~HashFamilyArrays() = default;
  virtual std::unique_ptr<HashFamily<T>> view() const = 0;
};

template <class T>
struct SignHashArrays final : HashFamilyArrays<T> {
  Cube<const T> signs;
  Vector<const T> scales;
  Matrix<const T> normals;
  Vector<const double> norms;
  Vector<const T> offsets;

  SignHashArrays(Cube<const T> signs, Vector<const T> scales, Matrix<const T> normals,
                 Vector<const double> norms, Vector<const T> offsets)
      : signs(signs), scales(scales), normals(normals), norms(norms), offsets(offsets) {}
  std::unique_ptr<HashFamily<T>> view() const override {
    return std::make_unique<SignHashes<T>>(structure_of<T>(signs, scales), rows(normals), norms.data(),
                                           offsets.data());
  }
};

template <class T>
struct WinnerHashArrays final : HashFamilyArrays<T> {
  Matrix<const int32_t> bins;
  bool passes_zeros;

  WinnerHashArrays(Matrix<const int32_t> bins, bool passes_zeros) : bins(bins), passes_zeros(passes_zeros) {}
  std::unique_ptr<HashFamily<T>> view() const override {
    return std::make_unique<WinnerHashes<T>>(bins.data(), static_cast<int64_t>(bins.shape(0)),
                                             static_cast<int64_t>(bins.shape(1)), passes_zeros);
  }
};

struct HashTableArrays {
  int64_t together;
  Matrix<uint32_t> codes;
  Matrix<int32_t> begins, ids;
  Cube<uint8_t> lives;  // has no blocks where lives are not kept
  Vector<double> ways, norms;
  Vector<const double> speeds;
  double unit;

  HashTables view() const {
    return {static_cast<int64_t>(codes.shape(0)),
            together,
            static_cast<int64_t>(begins.shape(1)) - 1,
            static_cast<int64_t>(codes.shape(1)),
            codes.data(),
            begins.data(),
            ids.data(),
            lives.shape(0) > 0 ? lives.data() : nullptr,
            ways.data(),
            norms.data(),
            speeds.data(),
            unit};
  }
};

template <class T>
void bind_searches(nb::module_& m) {
  m.def(
      "exhaustive_fire_set",
      [](WeightArrays<T>& w, const SampleArrays<T>& x, T threshold) {
        return found_by<T>(w.rows.shape(0), [&](FireWork& work) {
          return exhaustive_fire_set<T>(w.view(), x.view(), threshold, work);
        });
      },
      "w"_a, "x"_a, "threshold"_a);

  m.def(
      "sparse_fire_set",
      [](Matrix<const T> w, const SparseArrays<T>& x, T threshold) {
        return found_by<T>(w.shape(0), [&](FireWork& work) {
          return sparse_fire_set<T>(rows(w), x.view(), threshold, work);
        });
      },
      "w"_a.noconvert(), "x"_a, "threshold"_a);

  m.def(
      "sparse_step",
      [](const SparseDescentArrays<T>& descent, const SparseArrays<T>& next, T threshold) {
        return found_by<T>(descent.w.shape(0), [&](FireWork& work) {
          return sparse_step<T>(descent.view(), next.view(), threshold, work);
        });
      },
      "descent"_a, "next"_a, "threshold"_a);

  m.def(
      "proposed_fire_set",
      [](Vector<const int64_t> begins, Vector<const int32_t> samples, WeightArrays<T>& w,
         const SampleArrays<T>& x, T threshold) {
        return found_by<T>(w.rows.shape(0), [&](FireWork& work) {
          return proposed_fire_set<T>({begins.data(), samples.data()}, w.view(), x.view(), threshold, work);
        });
      },
      "begins"_a.noconvert(), "samples"_a.noconvert(), "w"_a, "x"_a, "threshold"_a);

  m.def(
      "proposed_fire_set",
      [](Matrix<const uint64_t> bits, WeightArrays<T>& w, const SampleArrays<T>& x, T threshold) {
        return found_by<T>(w.rows.shape(0), [&](FireWork& work) {
          const ProposedBits proposals{bits.data(), static_cast<int64_t>(bits.shape(1))};
          return proposed_fire_set<T>(proposals, w.view(), x.view(), threshold, work);
        });
      },
      "bits"_a.noconvert(), "w"_a, "x"_a, "threshold"_a);

  // From the lists of the whole training set.
  m.def(
      "listed_fire_set",
      [](const FireLists& lists, Vector<const int32_t> ids, WeightArrays<T>& w, const SampleArrays<T>& x,
         T threshold) {
        return found_by<T>(w.rows.shape(0), [&](FireWork& work) {
          std::vector<int64_t> begins(w.rows.shape(0) + 1);
          const std::vector<int32_t> positions =
              lists.of_batch(ids.data(), static_cast<int64_t>(ids.shape(0)), begins.data());
          return proposed_fire_set<T>({begins.data(), positions.data()}, w.view(), x.view(), threshold, work);
        });
      },
      "lists"_a, "ids"_a.noconvert(), "w"_a, "x"_a, "threshold"_a);
}

template <class T>
void bind_screened(nb::module_& m) {
  using In = Matrix<const T>;

  m.def(
      "screened_refresh",
      [](WeightArrays<T>& w, Vector<const double> lengths, Vector<const int32_t> columns, Cube<int8_t> bytes,
         Matrix<int32_t> offsets, Cube<float> terms, Vector<double> drifts, double slack) {
        const ScreenedWeights screened = screened_weights(columns, bytes, offsets, terms, drifts, slack);
        GilReleased released;
        screened_refresh<T>(screened, w.view(), lengths.data());
      },
      "w"_a, "lengths"_a.noconvert(), "columns"_a.noconvert(), "bytes"_a.noconvert(), "offsets"_a.noconvert(),
      "terms"_a.noconvert(), "drifts"_a.noconvert(), "slack"_a);

  m.def(
      "screened_bounds",
      [](In x, Cube<float> bounds, Vector<const int32_t> columns, Cube<int8_t> bytes, Matrix<int32_t> offsets,
         Cube<float> terms, Vector<double> drifts, double slack) {
        const ScreenedWeights screened = screened_weights(columns, bytes, offsets, terms, drifts, slack);
        GilReleased released;
        const ScreenedInputs<T> inputs(screened.columns, rows(x));
        const auto count = static_cast<int64_t>(x.shape(0));
        parallel_for(static_cast<int64_t>(bounds.shape(0)), [&](int64_t block) {
          screened_bounds(screened, block, inputs, 0, count, bounds.data() + block * count * kBlock);
        });
      },
      "x"_a.noconvert(), "bounds"_a.noconvert(), "columns"_a.noconvert(), "bytes"_a.noconvert(),
      "offsets"_a.noconvert(), "terms"_a.noconvert(), "drifts"_a.noconvert(), "slack"_a);

  m.def(
      "screened_fire_set",
      [](WeightArrays<T>& w, const SampleArrays<T>& x, T threshold, Vector<const int32_t> columns,
         Cube<int8_t> bytes, Matrix<int32_t> offsets, Cube<float> terms, Vector<double> drifts,
         double slack) {
        const ScreenedWeights screened = screened_weights(columns, bytes, offsets, terms, drifts, slack);
        return found_by<T>(w.rows.shape(0), [&](FireWork& work) {
          return screened_fire_set<T>(screened, w.view(), x.view(), threshold, work);
        });
      },
      "w"_a, "x"_a, "threshold"_a, "columns"_a.noconvert(), "bytes"_a.noconvert(), "offsets"_a.noconvert(),
      "terms"_a.noconvert(), "drifts"_a.noconvert(), "slack"_a);
}

template <class T>
void bind_drift(nb::module_& m) {
  using In = Matrix<const T>;
  using InVector = Vector<const T>;

  nb::class_<DriftBatchArrays<T>>(m, named<T>("DriftBatch").c_str())
      .def(nb::new_([](const SampleArrays<T>& x, Vector<const int32_t> ids, In sketch, InVector perps) {
             return new DriftBatchArrays<T>{x, ids, sketch, perps};
           }),
           "x"_a, "ids"_a.noconvert(), "sketch"_a.noconvert(), "perps"_a.noconvert());

  nb::class_<DriftArrays<T>>(m, named<T>("DriftState").c_str())
      .def(nb::new_([](Vector<const int32_t> order, Cube<uint8_t> table, Matrix<int16_t> reference,
                       Matrix<double> drift, Matrix<T> sketch, Vector<T> perps, Vector<T> slacks,
                       Vector<uint8_t> reach, double largest_norm, double resolution, double zero,
                       int64_t n_searched, Matrix<double> motion, Matrix<T> velocity_sketch, In directions) {
             return new DriftArrays<T>{order, table,      reference, drift,           sketch,
                                       perps, slacks,     reach,     largest_norm,    resolution,
                                       zero,  n_searched, motion,    velocity_sketch, directions};
           }),
           nb::kw_only(), "order"_a.noconvert(), "table"_a.noconvert(), "reference"_a.noconvert(),
           "drift"_a.noconvert(), "sketch"_a.noconvert(), "perps"_a.noconvert(), "slacks"_a.noconvert(),
           "reach"_a.noconvert(), "largest_norm"_a, "resolution"_a, "zero"_a, "n_searched"_a,
           "motion"_a.noconvert(), "velocity_sketch"_a.noconvert(), "directions"_a.noconvert());

  m.def(
      "drift_refresh",
      [](const DriftArrays<T>& state, WeightArrays<T>& w, Matrix<const int16_t> words, InVector units,
         const WordLimits& limits, InVector inverse_norms, T threshold, Vector<const int64_t> blocks) {
        const WordInputs<T> x{words.data(),
                              units.data(),
                              static_cast<int64_t>(words.shape(0)),
                              static_cast<int64_t>(words.shape(1)),
                              limits.largest,
                              limits.lost};
        GilReleased released;
        drift_refresh<T>(state.view(), w.view(state.order.data()), x, inverse_norms.data(), threshold,
                         blocks.data(), blocks.shape(0));
      },
      "state"_a, "w"_a, "words"_a.noconvert(), "units"_a.noconvert(), "limits"_a,
      "inverse_norms"_a.noconvert(), "threshold"_a, "blocks"_a.noconvert());

  m.def(
      "drift_fire_set",
      [](const DriftArrays<T>& state, const DriftBatchArrays<T>& batch, WeightArrays<T>& w, T threshold) {
        return found_by<T>(w.rows.shape(0), [&](FireWork& work) {
          return drift_fire_set<T>(state.view(), batch.view(), w.view(state.order.data()), threshold, work);
        });
      },
      "state"_a, "batch"_a, "w"_a, "threshold"_a);

  m.def(
      "drift_moved",
      [](const DriftArrays<T>& state, const DriftBatchArrays<T>& batch, WeightArrays<T>& w,
         const StepArrays<T>& step) {
        GilReleased released;
        return drift_moved<T>(state.view(), step.view(), w.view(state.order.data()), batch.view());
      },
      "state"_a, "batch"_a, "w"_a, "step"_a);

  m.def(
      "drift_settle",
      [](const DriftArrays<T>& state, WeightArrays<T>& w) {
        GilReleased released;
        drift_settle<T>(state.view(), w.view(state.order.data()));
      },
      "state"_a, "w"_a);

  // What was found, and how many neurons were measured.
  m.def(
      "drift_step",
      [](const DriftArrays<T>& state, const DescentArrays<T>& descent, const DriftBatchArrays<T>& batch,
         const DriftBatchArrays<T>& next) {
        int64_t measured = 0;
        Found<T> found = found_by<T>(descent.w().rows.shape(0), [&](FireWork& work) {
          return drift_step<T>(state.view(), descent.view(), batch.view(), next.view(), state.order.data(),
                               work, measured);
        });
        return std::pair(std::move(found), measured);
      },
      "state"_a, "descent"_a, "batch"_a, "next"_a);

  m.def(
      "structured_lines",
      [](Cube<const T> signs, InVector scales, Vector<const int32_t> order, In x, InVector inverse_norms,
         T threshold, Vector<const double> lost, int64_t first, int64_t count, Cube<uint8_t> table,
         double largest_norm, double resolution, double zero) {
        const Structure<T> structure = structure_of<T>(signs, scales);
        GilReleased released;
        structured_lines<T>(structure, order.data(), rows(x), inverse_norms.data(), threshold, lost.data(),
                            first, count, largest_norm, {resolution, zero},
                            static_cast<int64_t>(table.shape(0)), code_table(table));
      },
      "signs"_a.noconvert(), "scales"_a.noconvert(), "order"_a.noconvert(), "x"_a.noconvert(),
      "inverse_norms"_a.noconvert(), "threshold"_a, "lost"_a.noconvert(), "first"_a, "count"_a,
      "table"_a.noconvert(), "largest_norm"_a, "resolution"_a, "zero"_a);
}

template <class T>
void bind_correlations(nb::module_& m) {
  nb::class_<CorrelationArrays<T>>(m, named<T>("CorrelationTrees").c_str())
      .def(nb::new_([](bool by_sample, Matrix<T> nodes, Matrix<double> bounds, Matrix<const T> gram,
                       double gram_error, double largest_norm) {
             return new CorrelationArrays<T>{by_sample, nodes, bounds, gram, gram_error, largest_norm};
           }),
           nb::kw_only(), "by_sample"_a, "nodes"_a.noconvert(), "bounds"_a.noconvert(), "gram"_a.noconvert(),
           "gram_error"_a, "largest_norm"_a);

  m.def(
      "correlation_refresh",
      [](const CorrelationArrays<T>& trees, WeightArrays<T>& w, const SampleArrays<T>& x) {
        GilReleased released;
        return correlation_refresh<T>(trees.view(), w.view(), x.view());
      },
      "trees"_a, "w"_a, "x"_a);

  m.def(
      "correlation_moved",
      [](const CorrelationArrays<T>& trees, WeightArrays<T>& w, const SampleArrays<T>& x,
         const StepArrays<T>& step, Vector<const int32_t> ids) {
        GilReleased released;
        return correlation_moved<T>(trees.view(), step.view(), ids.data(), w.view(), x.view());
      },
      "trees"_a, "w"_a, "x"_a, "step"_a, "ids"_a.noconvert());

  // What was found, and how many nodes were compared with the threshold.
  m.def(
      "correlation_fire_set",
      [](const CorrelationArrays<T>& trees, WeightArrays<T>& w, const SampleArrays<T>& batch,
         Vector<const int32_t> ids, T threshold) {
        int64_t compared = 0;
        Found<T> found = found_by<T>(w.rows.shape(0), [&](FireWork& work) {
          return correlation_fire_set<T>(trees.view(), batch.view(), ids.data(), w.view(), threshold, work,
                                         compared);
        });
        return std::pair(std::move(found), compared);
      },
      "trees"_a, "w"_a, "batch"_a, "ids"_a.noconvert(), "threshold"_a);
}

template <class T>
void bind_hashing(nb::module_& m) {
  using In = Matrix<const T>;
  using Family = HashFamilyArrays<T>;

  nb::class_<Family>(m, named<T>("HashFamily").c_str());
  nb::class_<SignHashArrays<T>, Family>(m, named<T>("SignHashes").c_str())
      .def(nb::init<Cube<const T>, Vector<const T>, In, Vector<const double>, Vector<const T>>(),
           nb::kw_only(), "signs"_a.noconvert(), "scales"_a.noconvert(), "normals"_a.noconvert(),
           "norms"_a.noconvert(), "offsets"_a.noconvert());
  nb::class_<WinnerHashArrays<T>, Family>(m, named<T>("WinnerHashes").c_str())
      .def(nb::init<Matrix<const int32_t>, bool>(), nb::kw_only(), "bins"_a.noconvert(), "passes_zeros"_a);

  m.def(
      "hash_codes",
      [](const Family& family, int64_t together, In x, Matrix<uint32_t> codes) {
        const std::unique_ptr<HashFamily<T>> functions = family.view();
        GilReleased released;
        hash_codes<T>(*functions, together, rows(x), codes.data());
      },
      "family"_a, "together"_a, "x"_a.noconvert(), "codes"_a.noconvert());

  m.def(
      "hash_neurons",
      [](const Family& family, const HashTableArrays& tables, WeightArrays<T>& w) {
        const std::unique_ptr<HashFamily<T>> functions = family.view();
        GilReleased released;
        hash_neurons<T>(*functions, tables.view(), w.view());
      },
      "family"_a, "tables"_a, "w"_a);

  m.def(
      "hash_moved",
      [](const Family& family, const HashTableArrays& tables, WeightArrays<T>& w, const StepArrays<T>& step,
         const SampleArrays<T>& batch) {
        const std::unique_ptr<HashFamily<T>> functions = family.view();
        GilReleased released;
        return hash_moved<T>(*functions, tables.view(), w.view(), step.view(), batch.view());
      },
      "family"_a, "tables"_a, "w"_a, "step"_a, "batch"_a);

  m.def(
      "hash_speeds",
      [](const Family& family, const SampleArrays<T>& x, Vector<double> speeds) {
        const std::unique_ptr<HashFamily<T>> functions = family.view();
        GilReleased released;
        hash_speeds<T>(*functions, x.view(), speeds.data());
      },
      "family"_a, "x"_a, "speeds"_a.noconvert());
}

void bind_hash_tables(nb::module_& m) {
  nb::class_<HashTableArrays>(m, "HashTables")
      .def(nb::new_([](int64_t together, Matrix<uint32_t> codes, Matrix<int32_t> begins, Matrix<int32_t> ids,
                       Cube<uint8_t> lives, Vector<double> ways, Vector<double> norms,
                       Vector<const double> speeds, double unit) {
             return new HashTableArrays{together, codes, begins, ids, lives, ways, norms, speeds, unit};
           }),
           nb::kw_only(), "together"_a, "codes"_a.noconvert(), "begins"_a.noconvert(), "ids"_a.noconvert(),
           "lives"_a.noconvert(), "ways"_a.noconvert(), "norms"_a.noconvert(), "speeds"_a.noconvert(),
           "unit"_a);

  m.def(
      "bucket_union",
      [](const HashTableArrays& tables, Matrix<const uint32_t> codes, Matrix<uint64_t> bits) {
        GilReleased released;
        bucket_union(tables.view(), codes.data(), static_cast<int64_t>(codes.shape(1)), bits.data());
      },
      "tables"_a, "codes"_a.noconvert(), "bits"_a.noconvert());
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
            GilReleased released;
            self.replace(neurons.data(), static_cast<int64_t>(neurons.shape(0)),
                         {begins.data(), samples.data()});
          },
          "neurons"_a.noconvert(), "begins"_a.noconvert(), "samples"_a.noconvert());
}

template <class T>
void bind_weight_tree(nb::module_& m) {
  m.def(
      "weight_tree_refresh",
      [](HalfspaceTree<T>& tree, WeightArrays<T>& w) {
        GilReleased released;
        weight_tree_refresh<T>(tree, w.view());
      },
      "tree"_a, "w"_a);
  m.def(
      "weight_tree_moved",
      [](HalfspaceTree<T>& tree, Vector<const double> lengths) {
        GilReleased released;
        weight_tree_moved<T>(tree, lengths.data());
      },
      "tree"_a, "lengths"_a.noconvert());
}

void bind_code_table(nb::module_& m) {
  m.def(
      "beyond_reach",
      [](Cube<uint8_t> table, Vector<const uint8_t> reach, Vector<uint8_t> silent) {
        GilReleased released;
        beyond_reach(code_table(table), static_cast<int64_t>(table.shape(0)), reach.data(), silent.data());
      },
      "table"_a.noconvert(), "reach"_a.noconvert(), "silent"_a.noconvert());

  m.def(
      "copy_columns",
      [](Cube<uint8_t> table, Vector<const int64_t> from, Vector<const int64_t> to) {
        GilReleased released;
        copy_columns(code_table(table), from.data(), to.data(), static_cast<int64_t>(from.shape(0)));
      },
      "table"_a.noconvert(), "from_"_a.noconvert(), "to"_a.noconvert());
}

// How the core lays out the records whose arrays Python makes: offsets in bytes, by field.
void bind_records(nb::module_& m) {
  nb::dict drift, motion;
#define FEWFIRE_FIELD(of, record, field) of[#field] = offsetof(record, field)
  FEWFIRE_FIELD(drift, Drift, unit);
  FEWFIRE_FIELD(drift, Drift, reference_norm);
  FEWFIRE_FIELD(drift, Drift, measured);
  FEWFIRE_FIELD(drift, Drift, path);
  FEWFIRE_FIELD(drift, Drift, measured_perp);
  FEWFIRE_FIELD(drift, Drift, path_perp);
  FEWFIRE_FIELD(drift, Drift, sketch_error);
  FEWFIRE_FIELD(drift, Drift, bound);
  FEWFIRE_FIELD(motion, Motion, since);
  FEWFIRE_FIELD(motion, Motion, scale);
  FEWFIRE_FIELD(motion, Motion, lag);
  FEWFIRE_FIELD(motion, Motion, lead);
  FEWFIRE_FIELD(motion, Motion, speed);
  FEWFIRE_FIELD(motion, Motion, speed_perp);
  FEWFIRE_FIELD(motion, Motion, speed_error);
  FEWFIRE_FIELD(motion, Motion, scale_now);
  FEWFIRE_FIELD(motion, Motion, bound_now);
#undef FEWFIRE_FIELD
  m.attr("drift_offsets") = drift;
  m.attr("motion_offsets") = motion;
  m.attr("drift_bytes") = sizeof(Drift);
  m.attr("motion_bytes") = sizeof(Motion);
}

template <class T>
void bind(nb::module_& m) {
  bind_searches<T>(m);
  bind_screened<T>(m);
  bind_drift<T>(m);
  bind_correlations<T>(m);
  bind_hashing<T>(m);
  bind_weight_tree<T>(m);
}

}  // namespace

void bind_indexes(nb::module_& m) {
  bind_fire_lists(m);
  bind_code_table(m);
  bind_records(m);
  bind_hash_tables(m);
  nb::class_<CorrelationWork>(m, "CorrelationWork")
      .def_ro("recomputed", &CorrelationWork::recomputed)
      .def_ro("gram_products", &CorrelationWork::gram_products)
      .def_ro("maxima", &CorrelationWork::maxima);
  bind<float>(m);
  bind<double>(m);
}

}  // namespace fewfire
