#include "drift.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "fire_set.h"
#include "kernels.h"
#include "pool.h"

namespace fewfire {
namespace {

constexpr int64_t kChunk = 48;  // samples multiplied with a packed block before they are coded

template <class T>
constexpr double unit = std::numeric_limits<T>::epsilon() / 2;

// The rounding error of the shared dot of a neuron with an input of norm 1.
template <class T>
double dot_error(double norm, int64_t stride, double largest_norm) {
  if (!(norm * largest_norm < kSafeProduct<T>)) return std::numeric_limits<double>::infinity();
  return rounding<T>(stride) * norm + kTiny;
}

// What is left of a length outside the sketch, given a lower bound on the part inside.
double outside(double length, double inside) {
  inside = std::max(0.0, inside);
  return std::sqrt(std::max(0.0, length * length - inside * inside)) + 1e-7 * length;
}

// An upper bound on a norm whose computed square is given.
template <class T>
double norm_above(double square, int64_t stride) {
  return std::sqrt(square) * (1 + rounding<T>(stride)) + kTiny + 1e-18;
}
template <class T>
double norm_below(double square, int64_t stride) {
  return std::sqrt(square) * (1 - rounding<T>(stride)) - 1e-18;
}

template <class T>
void set_bounds(const DriftState<T>& state, int64_t r) {
  const Drift& d = state.drift[r];
  const DistanceCode& code = state.code;
  const double distance = d.bound;
  const double error = dot_error<T>(d.reference_norm + distance, state.reference.stride, state.largest_norm);
  const double reach = code.zero + std::ceil(code.resolution * (distance + error) * (1 + 1e-9));
  const auto highest = static_cast<double>(state.table.highest());
  state.reach[r] = static_cast<uint8_t>(reach < highest ? reach : highest);
  if (state.sketch.stride == 0) return;
  // The last term: rounding of the decoded distance and of the filter's own sum.
  const double slack = d.sketch_error + rounding<T>(state.sketch.stride) * distance + error +
                       16 * unit<T> * (highest / code.resolution + distance);
  state.perps[r] = round_up<T>(d.measured_perp + d.path_perp);
  state.slacks[r] = round_up<T>(slack);
}

// The present rows of a block become its reference; their drift is forgotten.
template <class T>
void refer(const DriftState<T>& state, const Rows<const T>& w, int64_t block, const double* norms) {
  const int64_t first = block * kBlock, lanes = std::min(kBlock, w.count - first);
  for (int64_t r = first; r < first + lanes; ++r) std::copy_n(w[r], w.stride, state.reference[r]);
  std::fill_n(state.sketch[first], lanes * state.sketch.stride, T{0});
  for (int64_t lane = 0; lane < lanes; ++lane) {
    state.drift[first + lane] = {norms[lane], 0, 0, 0, 0, 0, 0};
    set_bounds(state, first + lane);
  }
}

}  // namespace

template <class T>
void drift_refresh(const DriftState<T>& state, const Rows<const T>& w, const Rows<const T>& x,
                   const T* inverse_norms, T threshold, const int64_t* blocks, int64_t n_blocks) {
  // Few blocks are shared out by parts of the samples.
  const int64_t parts = n_blocks < 4 * threads() ? 2 * threads() : 1;
  const int64_t part_size = ((x.count + parts - 1) / parts + kChunk - 1) / kChunk * kChunk;
  parallel_for(n_blocks * parts, [&](int64_t task) {
    static thread_local PackedBlock<T> block;
    static thread_local std::vector<T> products;
    products.resize(kChunk * kBlock);
    uint8_t codes[kChunk * kBlock];
    const int64_t number = blocks[task / parts], part = task % parts;
    block.pack(w, number);

    T slack[kBlock];
    for (int64_t lane = 0; lane < kBlock; ++lane)
      slack[lane] = round_up<T>(dot_error<T>(block.norms[lane], x.stride, state.largest_norm) +
                                2048 * unit<T> / state.code.resolution);
    const Kernels<T>& kernel = kernels<T>();
    const int64_t end = std::min((part + 1) * part_size, x.count);
    for (int64_t i = part * part_size; i < end; i += kChunk) {
      const int64_t count = std::min(kChunk, end - i);
      kernel.block_products(block.columns.data(), x[i], x.stride, count, products.data());
      kernel.distance_codes(products.data(), inverse_norms + i, count, threshold, slack,
                            static_cast<T>(state.code.resolution), static_cast<T>(1 + state.code.zero),
                            static_cast<T>(state.table.highest()), codes);
      state.table.write(number, i, codes, count);
    }
    if (part == 0) refer(state, w, number, block.norms);
  });
}

template <class T>
int64_t drift_moved_block(const DriftState<T>& state, int64_t block, const Step<T>& step,
                          const Rows<const T>& w, const DriftBatch<T>& batch) {
  const Kernels<T>& kernel = kernels<T>();
  const int64_t stride = w.stride, k = state.sketch.stride;
  const int64_t end = std::min((block + 1) * kBlock, state.reference.count);
  static thread_local std::vector<T> zeros;
  zeros.assign(k, 0);
  int64_t measured = 0;
  for (int64_t r = block * kBlock; r < end; ++r) {
    const int64_t neuron = w.id(r);
    const double length = step.lengths[neuron];
    if (length == 0) continue;
    Drift& d = state.drift[r];
    d.path += length;
    if (k > 0) {
      const int64_t begin = step.begins[neuron], count = step.begins[neuron + 1] - begin;
      const int32_t* ids = step.samples + begin;
      const T* coefficients = step.coefficients + begin;
      double total = 0;
      for (int64_t j = 0; j < count; ++j)
        total += std::abs(static_cast<double>(coefficients[j])) * batch.x.norms[ids[j]];
      T* row = state.sketch[r];
      const double moved = kernel.move_row(row, row + k, batch.sketch.data, k, ids, coefficients, count);
      // Rounding: of w when the step is added, of the tracked sketch likewise, of both sums.
      const double error = unit<T> * (d.reference_norm + 3 * (d.measured + d.path)) +
                           (3 * count + 16) * unit<T> * total + kTiny;
      d.sketch_error += error;
      d.path_perp += outside(length, norm_below<T>(moved, k) - error);
    }
    // Measure again once the way is long beside the last measurement, and long enough to matter. With a
    // sketch only the way outside it counts: the part inside is known.
    const double way = k > 0 ? d.path_perp : d.path, last = k > 0 ? d.measured_perp : d.measured;
    const double square = k > 0 ? kernel.squared_distance(state.sketch[r], zeros.data(), k) : 0;
    if (way > last / 8 + 2 / state.code.resolution) {
      ++measured;
      d.measured = norm_above<T>(kernel.squared_distance(w[r], state.reference[r], stride), stride);
      d.path = 0;
      d.measured_perp = outside(d.measured, norm_below<T>(square, k) - d.sketch_error);
      d.path_perp = 0;
    }
    d.bound = d.measured + d.path;
    if (k > 0) {
      const double inside = norm_above<T>(square, k) + d.sketch_error, beside = d.measured_perp + d.path_perp;
      d.bound = std::min(d.bound, std::sqrt(inside * inside + beside * beside) * (1 + 1e-15));
    }
    set_bounds(state, r);
  }
  return measured;
}

template <class T>
int64_t drift_moved(const DriftState<T>& state, const Step<T>& step, const Rows<const T>& w,
                    const DriftBatch<T>& batch) {
  std::atomic<int64_t> measured{0};
  parallel_for(state.n_tabled(),
               [&](int64_t block) { measured += drift_moved_block(state, block, step, w, batch); });
  return measured;
}

#define FEWFIRE_INSTANTIATE(T)                                                                               \
  template void drift_refresh(const DriftState<T>&, const Rows<const T>&, const Rows<const T>&, const T*, T, \
                              const int64_t*, int64_t);                                                      \
  template int64_t drift_moved_block(const DriftState<T>&, int64_t, const Step<T>&, const Rows<const T>&,    \
                                     const DriftBatch<T>&);                                                  \
  template int64_t drift_moved(const DriftState<T>&, const Step<T>&, const Rows<const T>&,                   \
                               const DriftBatch<T>&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
