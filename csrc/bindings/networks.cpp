// Weights, the forward pass, and steps.
#include <nanobind/stl/vector.h>

#include "bindings/gil.h"
#include "bindings/views.h"
#include "networks/alive.h"
#include "networks/hidden.h"
#include "networks/weight_gradients.h"

namespace fewfire {
namespace {

template <class T>
void bind(nb::module_& m) {
  using In = Matrix<const T>;
  using InVector = Vector<const T>;

  nb::class_<WeightArrays<T>>(m, named<T>("Weights").c_str())
      .def(nb::new_([](Matrix<T> rows, Matrix<T> velocity, Vector<int32_t> since) {
             return new WeightArrays<T>{rows, velocity, since};
           }),
           "rows"_a.noconvert(), "velocity"_a.noconvert(), "since"_a.noconvert())
      .def_prop_ro("now", &WeightArrays<T>::now)
      .def(
          "flow",
          [](WeightArrays<T>& self, int32_t time) {
            const Flow f = self.coast().flow(time);
            return std::vector<double>{f.p, f.q, f.r, f.s};
          },
          "time"_a)
      .def(
          "advance",
          [](WeightArrays<T>& self, const std::vector<double>& f) { self.advance({f[0], f[1], f[2], f[3]}); },
          "flow"_a)
      .def("restart", &WeightArrays<T>::restart)
      .def("settle",
           [](WeightArrays<T>& self) {
             GilReleased released;
             settle<T>(rows(self.rows), self.coast());
             self.restart();
           })
      .def(
          "present",
          [](WeightArrays<T>& self, Matrix<T> out) {
            const Weights<T> w = self.view();
            for (int64_t r = 0; r < w.count(); ++r) {
              T* row = rows(out)[r];
              const T* now = w.row(r, row);
              if (now != row) std::copy_n(now, w.stride(), row);
            }
          },
          "out"_a);

  nb::class_<StepArrays<T>>(m, named<T>("Step").c_str())
      .def(nb::new_([](const FireArrays<T>& fires, InVector coefficients, Vector<const double> lengths,
                       T gain) { return new StepArrays<T>{fires, coefficients, lengths, gain}; }),
           "fires"_a, "coefficients"_a.noconvert(), "lengths"_a.noconvert(), "gain"_a);

  nb::class_<DescentArrays<T>>(m, named<T>("Descent").c_str())
      .def(nb::new_([](const FireArrays<T>& fires, In residual, const SampleArrays<T>& x, T threshold,
                       T scale, T rate, T a_rate, nb::object weights, Matrix<T> a, Vector<T> coefficients,
                       Vector<double> lengths, Matrix<T> a_velocity, const std::vector<double>& flow, T gain,
                       InVector pulls) {
             return new DescentArrays<T>{fires,
                                         residual,
                                         x,
                                         threshold,
                                         scale,
                                         rate,
                                         a_rate,
                                         weights,
                                         a,
                                         coefficients,
                                         lengths,
                                         a_velocity,
                                         {flow[0], flow[1], flow[2], flow[3]},
                                         gain,
                                         pulls};
           }),
           nb::kw_only(), "fires"_a, "residual"_a.noconvert(), "x"_a, "threshold"_a, "scale"_a, "rate"_a,
           "a_rate"_a, "w"_a, "a"_a.noconvert(), "coefficients"_a.noconvert(), "lengths"_a.noconvert(),
           "a_velocity"_a.noconvert(), "flow"_a, "gain"_a, "pulls"_a.noconvert());

  m.def(
      "forward",
      [](const FireArrays<T>& fires, In a, T threshold, T scale, Matrix<T> outputs) {
        GilReleased released;
        forward<T>(fires.view(), rows(a), threshold, scale, rows(outputs));
      },
      "fires"_a, "a"_a.noconvert(), "threshold"_a, "scale"_a, "outputs"_a.noconvert());

  m.def(
      "forward_groups",
      [](const FireArrays<T>& fires, In a, T threshold, int64_t groups, Matrix<T> sums) {
        GilReleased released;
        forward_groups<T>(fires.view(), rows(a), threshold, groups, rows(sums));
      },
      "fires"_a, "a"_a.noconvert(), "threshold"_a, "groups"_a, "sums"_a.noconvert());

  m.def(
      "input_gradients",
      [](const FireArrays<T>& fires, In a, In residual, WeightArrays<T>& w, T scale, Matrix<T> gradients) {
        GilReleased released;
        input_gradients<T>(fires.view(), rows(a), rows(residual), w.view(), scale, rows(gradients));
      },
      "fires"_a, "a"_a.noconvert(), "residual"_a.noconvert(), "w"_a, "scale"_a, "gradients"_a.noconvert());

  m.def(
      "weight_gradients",
      [](const FireArrays<T>& fires, In a, In residual, const SampleArrays<T>& x, T scale,
         Matrix<T> gradients) {
        GilReleased released;
        weight_gradients<T>(fires.view(), rows(a), rows(residual), x.view(), scale, gradients.shape(1),
                            gradients.data());
      },
      "fires"_a, "a"_a.noconvert(), "residual"_a.noconvert(), "x"_a, "scale"_a, "gradients"_a.noconvert());

  m.def(
      "forward_of_all",
      [](In w, const SampleArrays<T>& x, T threshold, T scale, In a, int64_t n_outputs, Matrix<T> outputs) {
        GilReleased released;
        forward_of_all<T>(rows(w), x.view().rows, threshold, scale, rows(a), n_outputs, rows(outputs));
      },
      "w"_a.noconvert(), "x"_a, "threshold"_a, "scale"_a, "a"_a.noconvert(), "n_outputs"_a,
      "outputs"_a.noconvert());

  m.def(
      "fires_on_any",
      [](In w, const SampleArrays<T>& x, T threshold, Vector<uint8_t> alive) {
        GilReleased released;
        fires_on_any<T>(rows(w), x.view().rows, threshold, alive.data());
      },
      "w"_a.noconvert(), "x"_a, "threshold"_a, "alive"_a.noconvert());

  m.def(
      "backward",
      [](const DescentArrays<T>& descent) {
        GilReleased released;
        backward<T>(descent.view());
      },
      "descent"_a);

  m.def(
      "structured_rows",
      [](Cube<const T> signs, InVector scales, int64_t n_features, Matrix<T> out) {
        const Structure<T> structure = structure_of<T>(signs, scales);
        GilReleased released;
        structured_rows<T>(structure, n_features, rows(out));
      },
      "signs"_a.noconvert(), "scales"_a.noconvert(), "n_features"_a, "rows"_a.noconvert());

  m.def(
      "structured_products",
      [](Cube<const T> signs, InVector scales, In x, Matrix<T> products) {
        const Structure<T> structure = structure_of<T>(signs, scales);
        GilReleased released;
        structured_products<T>(structure, rows(x), products.data());
      },
      "signs"_a.noconvert(), "scales"_a.noconvert(), "x"_a.noconvert(), "products"_a.noconvert());
}

template <class T>
void bind_deep(nb::module_& m) {
  using In = Matrix<const T>;
  using InVector = Vector<const T>;

  nb::class_<SparseDescentArrays<T>>(m, named<T>("SparseDescent").c_str())
      .def(nb::new_([](const FireArrays<T>& fires, InVector pulls, const SparseArrays<T>& x, T rate,
                       Matrix<T> w) { return new SparseDescentArrays<T>{fires, pulls, x, rate, w}; }),
           "fires"_a, "pulls"_a.noconvert(), "x"_a, "rate"_a, "w"_a.noconvert());

  m.def(
      "normalize",
      [](InVector z, Vector<const int64_t> places, T threshold, double length, double share, double constant,
         Vector<const int64_t> begins, Vector<T> values, Vector<double> lengths) {
        GilReleased released;
        normalize<T>(z.data(), places.data(), static_cast<int64_t>(z.shape(0)), threshold,
                     {length, share, constant}, begins.data(), static_cast<int64_t>(lengths.shape(0)),
                     values.data(), lengths.data());
      },
      "z"_a.noconvert(), "places"_a.noconvert(), "threshold"_a, "length"_a, "share"_a, "constant"_a,
      "begins"_a.noconvert(), "values"_a.noconvert(), "lengths"_a.noconvert());

  m.def(
      "normalized_gradients",
      [](const SparseArrays<T>& hidden, Vector<const double> lengths, double length, double share,
         double constant, Vector<T> gradients) {
        GilReleased released;
        normalized_gradients<T>(hidden.view(), lengths.data(), {length, share, constant}, gradients.data());
      },
      "hidden"_a, "lengths"_a.noconvert(), "length"_a, "share"_a, "constant"_a, "gradients"_a.noconvert());

  m.def(
      "output_pulls",
      [](const FireArrays<T>& fires, In a, In residual, T scale, Vector<T> pulls) {
        GilReleased released;
        output_pulls<T>(fires.view(), rows(a), rows(residual), scale, pulls.data());
      },
      "fires"_a, "a"_a.noconvert(), "residual"_a.noconvert(), "scale"_a, "pulls"_a.noconvert());

  m.def(
      "move_outputs",
      [](const FireArrays<T>& fires, In residual, T threshold, T rate, Matrix<T> a) {
        GilReleased released;
        move_outputs<T>(fires.view(), rows(residual), threshold, rate, rows(a));
      },
      "fires"_a, "residual"_a.noconvert(), "threshold"_a, "rate"_a, "a"_a.noconvert());

  m.def(
      "sparse_gradients",
      [](const FireArrays<T>& fires, InVector pulls, In w, const SparseArrays<T>& x, Vector<T> gradients) {
        GilReleased released;
        sparse_gradients<T>(fires.view(), pulls.data(), rows(w), x.view(), gradients.data());
      },
      "fires"_a, "pulls"_a.noconvert(), "w"_a.noconvert(), "x"_a, "gradients"_a.noconvert());

  m.def(
      "sparse_backward",
      [](const SparseDescentArrays<T>& descent) {
        GilReleased released;
        backward<T>(descent.view());
      },
      "descent"_a);
}

}  // namespace

void bind_networks(nb::module_& m) {
  m.def("output_groups", &output_groups, "neurons"_a, "size"_a);
  bind<float>(m);
  bind<double>(m);
  bind_deep<float>(m);
  bind_deep<double>(m);
}

}  // namespace fewfire
