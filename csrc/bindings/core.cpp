// Threads and instruction sets, samples, and what is found of them.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/gil.h"
#include "bindings/views.h"
#include "core/by_sample.h"
#include "core/codes.h"
#include "core/pages.h"
#include "core/pool.h"
#include "kernels/instruction_set.h"
#include "kernels/words.h"

namespace fewfire {
namespace {

template <class T>
void bind(nb::module_& m) {
  using In = Matrix<const T>;
  using InVector = Vector<const T>;

  nb::class_<SampleArrays<T>>(m, named<T>("Samples").c_str())
      .def(nb::new_([](In rows, InVector norms, Matrix<const int16_t> codes) {
             return new SampleArrays<T>{rows, norms, codes};
           }),
           "rows"_a.noconvert(), "norms"_a.noconvert(), "codes"_a.noconvert());

  nb::class_<FireArrays<T>>(m, named<T>("Fires").c_str())
      .def(nb::new_([](Vector<const int64_t> begins, Vector<const int32_t> samples, InVector values) {
             return new FireArrays<T>{begins, samples, values};
           }),
           "begins"_a.noconvert(), "samples"_a.noconvert(), "values"_a.noconvert());

  nb::class_<SparseArrays<T>>(m, named<T>("SparseInputs").c_str())
      .def(nb::new_([](Vector<const int64_t> begins, Vector<const int32_t> ids, InVector values) {
             return new SparseArrays<T>{begins, ids, values};
           }),
           "begins"_a.noconvert(), "ids"_a.noconvert(), "values"_a.noconvert());

  nb::class_<Found<T>> found(m, named<T>("Found").c_str());
  const auto field = [&found](const char* name, auto member) {
    found.def_prop_ro(
        name, [member](const Found<T>& self) { return self.*member; }, nb::rv_policy::reference);
  };
  field("begins", &Found<T>::begins);
  field("samples", &Found<T>::samples);
  field("values", &Found<T>::values);
  field("near", &Found<T>::near);
  field("sketched", &Found<T>::sketched);
  field("dots", &Found<T>::dots);
  field("fired", &Found<T>::fired);
  field("filter_ns", &Found<T>::filter_ns);
  field("dot_ns", &Found<T>::dot_ns);
  field("move_ns", &Found<T>::move_ns);
  field("drift_ns", &Found<T>::drift_ns);

  m.def(
      "word_inputs",
      [](In x, Matrix<int16_t> words, Vector<T> units) {
        GilReleased released;
        return word_inputs<T>(rows(x), static_cast<int64_t>(words.shape(1)), words.data(), units.data());
      },
      "x"_a.noconvert(), "words"_a.noconvert(), "units"_a.noconvert());
}

}  // namespace

void bind_core(nb::module_& m) {
  m.def(
      "give_back",
      [](Vector<uint8_t> bytes) { give_back(bytes.data(), static_cast<int64_t>(bytes.shape(0))); },
      "bytes"_a.noconvert());
  m.def("threads", &threads);
  m.def("set_threads", &set_threads, "count"_a);
  m.def("instruction_set", &instruction_set);
  m.def("available_instruction_sets", &available_instruction_sets);
  m.def("use_instruction_set", &use_instruction_set, "name"_a);
  m.def("byte_levels", [] { return kernels<float>().byte_levels; });
  m.def(
      "can_be_coded",
      [](Matrix<const float> x) {
        GilReleased released;
        return can_be_coded(rows(x));
      },
      "x"_a.noconvert());
  m.def(
      "code_rows",
      [](Matrix<const float> x, Matrix<int16_t> codes) {
        GilReleased released;
        code_rows(rows(x), codes.data());
      },
      "x"_a.noconvert(), "codes"_a.noconvert());
  m.def(
      "by_sample",
      [](Vector<const int64_t> neuron_begins, Vector<const int32_t> samples, int64_t spare,
         Vector<int64_t> begins, Vector<int32_t> neurons, Vector<int64_t> places) {
        GilReleased released;
        by_sample(neuron_begins.data(), samples.data(), static_cast<int64_t>(neuron_begins.shape(0)) - 1,
                  static_cast<int64_t>(begins.shape(0)) - 1, spare, begins.data(), neurons.data(),
                  places.data());
      },
      "neuron_begins"_a.noconvert(), "samples"_a.noconvert(), "spare"_a, "begins"_a.noconvert(),
      "neurons"_a.noconvert(), "places"_a.noconvert());
  nb::class_<WordLimits>(m, "WordLimits")
      .def_ro("largest", &WordLimits::largest)
      .def_ro("lost", &WordLimits::lost);
  bind<float>(m);
  bind<double>(m);
}

}  // namespace fewfire
