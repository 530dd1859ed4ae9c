// Products of the Gram matrix over a fire set.
#include "training/gram.h"

#include "bindings/gil.h"
#include "bindings/views.h"

namespace fewfire {
namespace {

template <class T>
void bind(nb::module_& m) {
  using In = Matrix<const T>;

  m.def(
      "fire_gram",
      [](const FireArrays<T>& fires, Vector<const double> weights, T threshold, bool activations,
         Matrix<double> gram) {
        GilReleased released;
        fire_gram<T>(fires.view(), weights.data(), fires.n_neurons(), gram.shape(0), threshold, activations,
                     gram.data());
      },
      "fires"_a, "weights"_a.noconvert(), "threshold"_a, "activations"_a, "gram"_a.noconvert());

  m.def(
      "fire_counts",
      [](const FireArrays<T>& fires, Matrix<double> counts) {
        GilReleased released;
        fire_counts<T>(fires.view(), fires.n_neurons(), counts.shape(0), counts.data());
      },
      "fires"_a, "counts"_a.noconvert());

  m.def(
      "fire_bits",
      [](const FireArrays<T>& fires, Matrix<uint64_t> bits) {
        GilReleased released;
        fire_bits<T>(fires.view(), fires.n_neurons(), rows(bits));
      },
      "fires"_a, "bits"_a.noconvert());

  m.def(
      "fire_dots",
      [](const FireArrays<T>& fires, In w, const SampleArrays<T>& x, Vector<T> products) {
        GilReleased released;
        fire_dots<T>(fires.view(), rows(w), x.view(), products.data());
      },
      "fires"_a, "w"_a.noconvert(), "x"_a, "products"_a.noconvert());

  m.def(
      "gram_dots",
      [](const FireArrays<T>& fires, Vector<const T> pulls, const SampleArrays<T>& x, Vector<T> products) {
        GilReleased released;
        gram_dots<T>(fires.view(), fires.n_neurons(), pulls.data(), x.view(), products.data());
      },
      "fires"_a, "pulls"_a.noconvert(), "x"_a, "products"_a.noconvert());

  m.def(
      "sparse_dots",
      [](const FireArrays<T>& fires, In w, const SparseArrays<T>& x, Vector<T> products) {
        GilReleased released;
        sparse_dots<T>(fires.view(), rows(w), x.view(), products.data());
      },
      "fires"_a, "w"_a.noconvert(), "x"_a, "products"_a.noconvert());

  m.def(
      "sparse_gram_dots",
      [](const FireArrays<T>& fires, Vector<const T> pulls, int64_t n_features, const SparseArrays<T>& x,
         Vector<T> products) {
        GilReleased released;
        sparse_gram_dots<T>(fires.view(), fires.n_neurons(), pulls.data(), n_features, x.view(),
                            products.data());
      },
      "fires"_a, "pulls"_a.noconvert(), "n_features"_a, "x"_a, "products"_a.noconvert());
}

}  // namespace

void bind_training(nb::module_& m) {
  m.def(
      "common_counts",
      [](Matrix<const uint64_t> a, Matrix<const uint64_t> b, Matrix<float> counts) {
        GilReleased released;
        common_counts(rows(a), rows(b), counts.data());
      },
      "a"_a.noconvert(), "b"_a.noconvert(), "counts"_a.noconvert());
  bind<float>(m);
  bind<double>(m);
}

}  // namespace fewfire
