// The Python module `fewfire._core`: arrays in, arrays out. The Python side has checked shapes, types
// and finiteness; nothing is converted or copied here, and the GIL is released while a kernel runs.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "drift.h"
#include "fire_set.h"
#include "gradient.h"
#include "instruction_set.h"
#include "pool.h"
#include "structured.h"

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
Rows<T> rows(const Matrix<T>& m, const Vector<const int32_t>& order) {
  return {m.data(), static_cast<int64_t>(m.shape(0)), static_cast<int64_t>(m.shape(1)), order.data()};
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

// (begins, samples, values, and by block: near, dots, fired)
template <class T, class Find>
nb::tuple found(int64_t n_neurons, Find find) {
  FireSet<T> fires;
  FireWork work;
  {
    nb::gil_scoped_release release;
    fires = find(work);
  }
  const auto pairs = static_cast<size_t>(fires.begins[n_neurons]);
  return nb::make_tuple(owned(std::move(fires.begins), n_neurons + 1), owned(std::move(fires.samples), pairs),
                        owned(std::move(fires.values), pairs), counts(work.near), counts(work.dots),
                        counts(work.fired));
}

template <class T>
DriftState<T> drift_state(Cube<uint8_t> table, Matrix<T> reference, Matrix<double> drift, Matrix<T> sketch,
                          Matrix<T> sketch_bounds, Vector<uint8_t> reach, double largest_norm,
                          double resolution, double zero) {
  static_assert(sizeof(Drift) == 6 * sizeof(double), "a row of the drift array is one Drift");
  return {table.data(), rows(reference),      reinterpret_cast<Drift*>(drift.data()),
          rows(sketch), sketch_bounds.data(), reach.data(),
          largest_norm, {resolution, zero}};
}

template <class T>
Structure<T> structure_of(const Cube<const T>& signs, const Vector<const T>& scales) {
  return {signs.data(), scales.data(), static_cast<int64_t>(signs.shape(2)),
          static_cast<int64_t>(scales.shape(0))};
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
         T threshold, int64_t first, int64_t count, Cube<uint8_t> table, double largest_norm,
         double resolution, double zero) {
        const Structure<T> structure = structure_of<T>(signs, scales);
        nb::gil_scoped_release release;
        structured_lines<T>(structure, order.data(), rows(x), inverse_norms.data(), threshold, first, count,
                            largest_norm, {resolution, zero}, static_cast<int64_t>(table.shape(0)),
                            table.data());
      },
      "signs"_a.noconvert(), "scales"_a.noconvert(), "order"_a.noconvert(), "x"_a.noconvert(),
      "inverse_norms"_a.noconvert(), "threshold"_a, "first"_a, "count"_a, "table"_a.noconvert(),
      "largest_norm"_a, "resolution"_a, "zero"_a);
}

template <class T>
void bind(nb::module_& m) {
  using In = Matrix<const T>;
  using InVector = Vector<const T>;

  m.def(
      "exhaustive_fire_set",
      [](In w, In x, InVector x_norms, T threshold) {
        return found<T>(w.shape(0), [&](FireWork& work) {
          return exhaustive_fire_set<T>(rows(w), rows(x), x_norms.data(), threshold, work);
        });
      },
      "w"_a.noconvert(), "x"_a.noconvert(), "x_norms"_a.noconvert(), "threshold"_a);

  m.def(
      "drift_fire_set",
      [](In w, Vector<const int32_t> order, In x, InVector x_norms, T threshold, Cube<const uint8_t> table,
         Vector<const uint8_t> reach, In sketch, In sketch_bounds, InVector code_distances,
         Vector<const int32_t> ids, In batch_sketch, InVector batch_perps) {
        return found<T>(w.shape(0), [&](FireWork& work) {
          const DriftFilter<T> filter{table.data(),
                                      static_cast<int64_t>(table.shape(0)),
                                      static_cast<int64_t>(table.shape(1)),
                                      reach.data(),
                                      rows(sketch),
                                      sketch_bounds.data(),
                                      code_distances.data()};
          const DriftBatch<T> batch{ids.data(), rows(batch_sketch), batch_perps.data()};
          return drift_fire_set<T>(filter, batch, rows(w, order), rows(x), x_norms.data(), threshold, work);
        });
      },
      "w"_a.noconvert(), "order"_a.noconvert(), "x"_a.noconvert(), "x_norms"_a.noconvert(), "threshold"_a,
      "table"_a.noconvert(), "reach"_a.noconvert(), "sketch"_a.noconvert(), "sketch_bounds"_a.noconvert(),
      "code_distances"_a.noconvert(), "ids"_a.noconvert(), "batch_sketch"_a.noconvert(),
      "batch_perps"_a.noconvert());

  m.def(
      "drift_refresh",
      [](In w, Vector<const int32_t> order, In x, InVector inverse_norms, T threshold,
         Vector<const int64_t> blocks, Cube<uint8_t> table, Matrix<T> reference, Matrix<double> drift,
         Matrix<T> sketch, Matrix<T> sketch_bounds, Vector<uint8_t> reach, double largest_norm,
         double resolution, double zero) {
        const DriftState<T> state = drift_state<T>(table, reference, drift, sketch, sketch_bounds, reach,
                                                   largest_norm, resolution, zero);
        nb::gil_scoped_release release;
        drift_refresh<T>(state, rows(w, order), rows(x), inverse_norms.data(), threshold, blocks.data(),
                         blocks.shape(0));
      },
      "w"_a.noconvert(), "order"_a.noconvert(), "x"_a.noconvert(), "inverse_norms"_a.noconvert(),
      "threshold"_a, "blocks"_a.noconvert(), "table"_a.noconvert(), "reference"_a.noconvert(),
      "drift"_a.noconvert(), "sketch"_a.noconvert(), "sketch_bounds"_a.noconvert(), "reach"_a.noconvert(),
      "largest_norm"_a, "resolution"_a, "zero"_a);

  m.def(
      "drift_moved",
      [](In w, Vector<const int32_t> order, Vector<const int64_t> begins, Vector<const int32_t> samples,
         InVector coefficients, Vector<const double> lengths, In batch_sketch, InVector batch_norms,
         Cube<uint8_t> table, Matrix<T> reference, Matrix<double> drift, Matrix<T> sketch,
         Matrix<T> sketch_bounds, Vector<uint8_t> reach, double largest_norm, double resolution,
         double zero) {
        const DriftState<T> state = drift_state<T>(table, reference, drift, sketch, sketch_bounds, reach,
                                                   largest_norm, resolution, zero);
        const Step<T> step{begins.data(), samples.data(), coefficients.data(), lengths.data()};
        nb::gil_scoped_release release;
        return drift_moved<T>(state, step, rows(w, order), rows(batch_sketch), batch_norms.data());
      },
      "w"_a.noconvert(), "order"_a.noconvert(), "begins"_a.noconvert(), "samples"_a.noconvert(),
      "coefficients"_a.noconvert(), "lengths"_a.noconvert(), "batch_sketch"_a.noconvert(),
      "batch_norms"_a.noconvert(), "table"_a.noconvert(), "reference"_a.noconvert(), "drift"_a.noconvert(),
      "sketch"_a.noconvert(), "sketch_bounds"_a.noconvert(), "reach"_a.noconvert(), "largest_norm"_a,
      "resolution"_a, "zero"_a);

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
      [](Vector<const int64_t> begins, Vector<const int32_t> samples, InVector values, In residual, In x,
         T threshold, T scale, T rate, T a_rate, Matrix<T> w, Matrix<T> a, Vector<T> coefficients,
         Vector<double> lengths) {
        const FireView<T> fires{begins.data(), samples.data(), values.data()};
        nb::gil_scoped_release release;
        backward<T>(fires, rows(residual), rows(x), threshold, scale, rate, a_rate, rows(w), rows(a),
                    coefficients.data(), lengths.data());
      },
      "begins"_a.noconvert(), "samples"_a.noconvert(), "values"_a.noconvert(), "residual"_a.noconvert(),
      "x"_a.noconvert(), "threshold"_a, "scale"_a, "rate"_a, "a_rate"_a, "w"_a.noconvert(), "a"_a.noconvert(),
      "coefficients"_a.noconvert(), "lengths"_a.noconvert());

  m.def(
      "fire_gram",
      [](Vector<const int64_t> begins, Vector<const int32_t> samples, InVector values, T threshold,
         bool activations, Matrix<double> gram) {
        const FireView<T> fires{begins.data(), samples.data(), values.data()};
        nb::gil_scoped_release release;
        fire_gram<T>(fires, static_cast<int64_t>(begins.shape(0)) - 1, gram.shape(0), threshold, activations,
                     gram.data());
      },
      "begins"_a.noconvert(), "samples"_a.noconvert(), "values"_a.noconvert(), "threshold"_a, "activations"_a,
      "gram"_a.noconvert());
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
  bind<float>(m);
  bind<double>(m);
  bind_structured<float>(m);
  bind_structured<double>(m);
}

}  // namespace fewfire
