// What crosses as an object: arrays that the Python side made and shares, and what the core found.
#pragma once

#include "bindings/arrays.h"
#include "bindings/gil.h"
#include "core/fire_set.h"
#include "core/sparse_inputs.h"
#include "kernels/samples.h"
#include "networks/descent.h"
#include "networks/sparse_descent.h"
#include "networks/structured.h"
#include "networks/weights.h"

namespace fewfire {

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

// Samples that are mostly 0, by sample.
template <class T>
struct SparseArrays {
  Vector<const int64_t> begins;
  Vector<const int32_t> ids;
  Vector<const T> values;

  SparseInputs<T> view() const {
    return {begins.data(), ids.data(), values.data(), static_cast<int64_t>(begins.shape(0)) - 1};
  }
};

// The pairs that fire, as they were found.
template <class T>
struct FireArrays {
  Vector<const int64_t> begins;
  Vector<const int32_t> samples;
  Vector<const T> values;

  int64_t n_neurons() const { return static_cast<int64_t>(begins.shape(0)) - 1; }
  FireView<T> view() const { return {begins.data(), samples.data(), values.data()}; }
};

// How a step moved the neurons.
template <class T>
struct StepArrays {
  FireArrays<T> fires;
  Vector<const T> coefficients;
  Vector<const double> lengths;
  T gain;

  Step<T> view() const {
    return {fires.begins.data(), fires.samples.data(), coefficients.data(), lengths.data(), gain};
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

template <class T>
struct DescentArrays {
  FireArrays<T> fires;
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
  Vector<const T> pulls;  // is empty where they are those of the outputs

  WeightArrays<T>& w() const { return *nb::inst_ptr<WeightArrays<T>>(weights); }

  Descent<T> view() const {
    return {fires.view(),
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
            gain,
            pulls.shape(0) > 0 ? pulls.data() : nullptr};
  }
};

template <class T>
struct SparseDescentArrays {
  FireArrays<T> fires;
  Vector<const T> pulls;
  SparseArrays<T> x;
  T rate;
  Matrix<T> w;

  SparseDescent<T> view() const { return {fires.view(), pulls.data(), x.view(), rate, rows(w)}; }
};

template <class T>
Structure<T> structure_of(const Cube<const T>& signs, const Vector<const T>& scales) {
  return {signs.data(), scales.data(), static_cast<int64_t>(signs.shape(2)),
          static_cast<int64_t>(scales.shape(0))};
}

// A fire set that the core found, and by block of neurons what the answer cost.
template <class T>
struct Found {
  Vector<int64_t> begins;
  Vector<int32_t> samples;
  Vector<T> values;
  Vector<int64_t> near, sketched, dots, fired;
  Vector<int64_t> filter_ns, dot_ns, move_ns, drift_ns;

  Found(FireSet<T> fires, int64_t n_neurons, const FireWork& work)
      : near(as_array(work.near)),
        sketched(as_array(work.sketched)),
        dots(as_array(work.dots)),
        fired(as_array(work.fired)),
        filter_ns(as_array(work.filter_ns)),
        dot_ns(as_array(work.dot_ns)),
        move_ns(as_array(work.move_ns)),
        drift_ns(as_array(work.drift_ns)) {
    const auto pairs = static_cast<size_t>(fires.begins[n_neurons]);
    begins = owned(std::move(fires.begins), n_neurons + 1);
    samples = owned(std::move(fires.samples), pairs);
    values = owned(std::move(fires.values), pairs);
  }
};

// What search(work) finds while the GIL is released.
template <class T, class Search>
Found<T> found_by(int64_t n_neurons, Search search) {
  FireSet<T> fires;
  FireWork work;
  {
    GilReleased released;
    fires = search(work);
  }
  return Found<T>(std::move(fires), n_neurons, work);
}

}  // namespace fewfire
