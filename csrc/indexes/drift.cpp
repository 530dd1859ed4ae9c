#include "indexes/drift.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "core/pool.h"
#include "kernels/kernels.h"
#include "kernels/packed_block.h"

namespace fewfire {
namespace {

constexpr int64_t kChunk = 48;  // samples multiplied with a packed block before they are coded
constexpr int64_t kGroup = 4;   // blocks that read the samples together

constexpr double infinity = std::numeric_limits<double>::infinity();

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

template <class T>
double norm_below(double square, int64_t stride) {
  return std::sqrt(square) * (1 - rounding<T>(stride)) - 1e-18;
}

// What gliding loses to rounding, for numbers that add up to `total` in size.
template <class T>
double glide_error(double total) {
  return (2.5 * unit<T> + 2e-15) * total + kTiny;
}

// Upper bounds on a neuron's |w| and |v| when they were last written.
struct Sizes {
  double w, v;
};
Sizes sizes_of(const Drift& d, const Motion& m) {
  return {std::abs(m.scale) * d.reference_norm + std::abs(m.lead) * m.speed + d.bound,
          std::abs(m.lag) * d.reference_norm + m.speed};
}

// The claim on which the filters rest: w = scale w0 + D with |D| <= distance, and the error of its sketch.
struct Claim {
  double scale, distance, perp, sketch_error;
};

template <class T>
Claim claim(const DriftState<T>& state, const Weights<T>& w, int64_t r) {
  const Drift& d = state.drift[r];
  const double perp = d.measured_perp + d.path_perp;
  if (!w.coast.on()) return {1, d.bound, perp, d.sketch_error};
  const Motion& m = state.motion[r];
  const Flow f = w.coast.flow(static_cast<int32_t>(m.since));
  const Glide glide = drift_glide(state, w, r);
  const double p = std::abs(glide.p), q = std::abs(glide.q);
  const double scale = f.p * m.scale + f.q * m.lag, held = std::min(std::max(scale, 0.0), 1.0);
  const double parts = p * d.bound + q * m.speed;  // of the drift
  // Rounding of the row, of the scale, and what of the scale lies outside 0 .. 1: all of it counts as drift.
  const Sizes size = sizes_of(d, m);
  const double error = glide_error<T>(std::abs(f.p) * size.w + std::abs(f.q) * size.v + q * m.speed) +
                       std::abs(scale - held) * d.reference_norm;
  return {held, parts + error, p * perp + q * m.speed_perp,
          p * d.sketch_error + q * m.speed_error + error + 6 * unit<T> * parts};
}

template <class T>
void set_bounds(const DriftState<T>& state, const Weights<T>& w, int64_t r) {
  const Drift& d = state.drift[r];
  const DistanceCode& code = state.code;
  const Claim now = claim(state, w, r);
  if (state.motion) {
    state.motion[r].scale_now = now.scale;
    state.motion[r].bound_now = now.distance;
  }
  // <w, x> = scale <w0, x> + <D, x> with 0 <= scale <= 1 and b >= 0: a code that proves a distance at the
  // reference proves scale times as much now. All is compared in units of that.
  const double distance = now.distance / now.scale;
  const double norm = now.scale * d.reference_norm + now.distance;
  const double error = dot_error<T>(norm, state.reference.stride, state.largest_norm) / now.scale;
  const double reach = code.zero + std::ceil(code.resolution * (distance + error) * (1 + 1e-9));
  const auto highest = static_cast<double>(state.table.highest());
  state.reach[r] = static_cast<uint8_t>(reach < highest ? reach : highest);
  if (state.sketch.stride == 0) return;
  // The last term: rounding of the decoded distance and of the filter's own sum.
  const double slack = now.sketch_error / now.scale + rounding<T>(state.sketch.stride) * distance + error +
                       16 * unit<T> * (highest / code.resolution + distance);
  state.perps[r] = round_up<T>(now.perp / now.scale);
  state.slacks[r] = round_up<T>(slack);
}

// P v of a row, and an upper bound on its error.
template <class T>
double sketch_velocity(const DriftState<T>& state, const T* v, double speed, T* sketch) {
  const int64_t k = state.directions.count, stride = state.directions.stride;
  static thread_local std::vector<int32_t> all;
  while (static_cast<int64_t>(all.size()) < k) all.push_back(static_cast<int32_t>(all.size()));
  kernels<T>().dots(v, state.directions.data, stride, all.data(), k, sketch);
  return rounding<T>(stride) * std::sqrt(static_cast<double>(k)) * speed + kTiny;
}

// How a neuron coasts whose row, as it is now, has just become its reference. As of the time when its rows
// were written: w = w0 / p - q / p v, but for rounding, because p w + q v is w0.
template <class T>
void refer_motion(const DriftState<T>& state, const Weights<T>& w, int64_t r) {
  const int64_t neuron = w.id(r), stride = w.stride();
  const int32_t since = w.coast.since[neuron];
  const Flow f = w.coast.flow(since);
  Drift& d = state.drift[r];
  Motion& m = state.motion[r];
  m = {static_cast<double>(since), 1 / f.p, 0, -f.q / f.p, 0, 0, 0, 1, 0};
  if (const T* v = w.coast.velocity_row(neuron)) {
    m.speed = norm_above<T>(kernels<T>().squared_norm(v, stride), stride);
    m.speed_perp = m.speed;
    if (state.sketch.stride > 0) {
      T* sketch = state.velocity_sketch[r];
      m.speed_error = sketch_velocity(state, v, m.speed, sketch);
      const double square = kernels<T>().squared_norm(sketch, state.sketch.stride);
      m.speed_perp = outside(m.speed, norm_below<T>(square, state.sketch.stride) - m.speed_error);
    }
  }
  const double error = glide_error<T>(d.reference_norm + 2 * std::abs(f.q) * m.speed);
  for (double* bound : {&d.measured, &d.measured_perp, &d.sketch_error, &d.bound})
    *bound = (*bound + error) / std::abs(f.p);
}

// The present rows of a block, in words, become its reference; of their drift only what the words lose is
// left.
template <class T>
void refer(const DriftState<T>& state, const Weights<T>& w, int64_t block, int64_t lanes,
           const WordBlock<T>& words, int64_t stride) {
  const int64_t first = block * kBlock;
  for (int64_t lane = 0; lane < lanes; ++lane)
    std::copy_n(&words.rows[lane * stride], stride, state.reference[first + lane]);
  std::fill_n(state.sketch[first], lanes * state.sketch.stride, T{0});
  for (int64_t lane = 0; lane < lanes; ++lane) {
    const double lost = words.lost[lane];
    state.drift[first + lane] = {words.units[lane], words.norms[lane], lost, 0, lost, 0, lost, lost};
    if (w.coast.on()) refer_motion(state, w, first + lane);
    set_bounds(state, w, first + lane);
  }
}

// An upper bound on |a - scale w0|, w0 the reference of neuron r.
template <class T>
double distance_from_reference(const DriftState<T>& state, int64_t r, const T* a, double scale,
                               int64_t stride) {
  const Drift& d = state.drift[r];
  const double square =
      kernels<T>().squared_distance(a, state.reference[r], static_cast<T>(scale * d.unit), stride);
  return norm_above<T>(square, stride) + (scale == 1 ? 0 : 4 * unit<T> * std::abs(scale) * d.reference_norm);
}

// Measures V = v - lag w0 of a neuron whose rows were just written.
template <class T>
void measure_speed(const DriftState<T>& state, const Weights<T>& w, int64_t r) {
  Motion& m = state.motion[r];
  const int64_t stride = w.stride(), k = state.sketch.stride;
  const T* v = w.coast.velocity_row(w.id(r));
  m.speed = m.lag == 0 ? norm_above<T>(kernels<T>().squared_norm(v, stride), stride)
                       : distance_from_reference(state, r, v, m.lag, stride);
  m.speed_perp = m.speed;
  if (k == 0) return;
  // Of v when the step was added, and of its tracked sketch likewise.
  m.speed_error += unit<T> * (std::abs(m.lag) * state.drift[r].reference_norm + 4 * m.speed) + kTiny;
  const double square = kernels<T>().squared_norm(state.velocity_sketch[r], k);
  m.speed_perp = outside(m.speed, norm_below<T>(square, k) - m.speed_error);
}

// Brings what is known of a neuron that coasted to the present.
template <class T>
void glide_drift(const DriftState<T>& state, const Weights<T>& w, int64_t r) {
  Drift& d = state.drift[r];
  Motion& m = state.motion[r];
  const Flow f = w.coast.flow(static_cast<int32_t>(m.since));
  const Glide glide = drift_glide(state, w, r);
  const double lead_back = f.s + f.r * m.lead;  // v = r D + lead_back V
  const double p = std::abs(glide.p), q = std::abs(glide.q), back = std::abs(f.r), s = std::abs(lead_back);
  const Sizes size = sizes_of(d, m);
  const double error = glide_error<T>(std::abs(f.p) * size.w + std::abs(f.q) * size.v + q * m.speed);
  const double velocity_error = glide_error<T>(std::abs(f.r) * size.w + std::abs(f.s) * size.v + s * m.speed);
  const double perp = d.measured_perp + d.path_perp;
  const Drift before = d;
  d.measured *= p;
  d.path = p * d.path + q * m.speed + error;
  d.measured_perp *= p;
  d.path_perp = p * d.path_perp + q * m.speed_perp + error;
  d.bound = p * d.bound + q * m.speed + error;
  d.sketch_error = p * d.sketch_error + q * m.speed_error + error + 6 * unit<T> * d.bound;
  const double speed = back * before.bound + s * m.speed + velocity_error;
  m.speed_error = back * before.sketch_error + s * m.speed_error + velocity_error + 6 * unit<T> * speed;
  m.speed_perp = back * perp + s * m.speed_perp + velocity_error;
  m.speed = speed;
  const double scale = f.p * m.scale + f.q * m.lag;
  m.lag = f.r * m.scale + f.s * m.lag;
  m.scale = scale;
  m.lead = 0;
  m.since = w.coast.now;
  if (state.sketch.stride > 0)
    glide_rows<T>({glide.p, glide.q, f.r, lead_back}, state.sketch.stride, state.sketch[r],
                  w.coast.velocity.data ? state.velocity_sketch[r] : nullptr);
}

}  // namespace

template <class T>
void drift_refresh(const DriftState<T>& state, const Weights<T>& w, const WordInputs<T>& x,
                   const T* inverse_norms, T threshold, const int64_t* blocks, int64_t n_blocks) {
  // Few blocks are shared out by parts of the samples, many by groups that read the samples together.
  const bool few = n_blocks < 4 * threads();
  const int64_t group_size = few ? 1 : kGroup, parts = few ? 2 * threads() : 1;
  const int64_t part_size = ((x.count + parts - 1) / parts + kChunk - 1) / kChunk * kChunk;
  const int64_t groups = (n_blocks + group_size - 1) / group_size;
  parallel_for(groups * parts, [&](int64_t task) {
    static thread_local WordBlock<T> packed[kGroup];
    static thread_local std::vector<int32_t> products(kChunk * kBlock);
    static thread_local std::vector<T> rooms;
    const T* rows[kBlock];
    T slack[kGroup][kBlock];
    uint8_t codes[kChunk * kBlock];
    const int64_t* mine = blocks + task / parts * group_size;
    const int64_t count_of_mine = std::min(group_size, blocks + n_blocks - mine), part = task % parts;
    for (int64_t g = 0; g < count_of_mine; ++g) {
      WordBlock<T>& block = packed[g];
      const int64_t lanes = w.block(mine[g], rooms, rows);
      block.pack(rows, lanes, x.stride, x.largest);
      if (part == 0) refer(state, w, mine[g], lanes, block, x.stride);
      for (int64_t lane = 0; lane < kBlock; ++lane) {
        const double norm = block.norms[lane], known = block.lost[lane] < infinity ? 0 : infinity;
        slack[g][lane] =
            round_up<T>(known + norm * (x.lost + rounding<T>(0)) + 2048 * unit<T> / state.code.resolution);
      }
    }
    const Kernels<T>& kernel = kernels<T>();
    const int64_t end = std::min((part + 1) * part_size, x.count);
    for (int64_t i = part * part_size; i < end; i += kChunk) {
      const int64_t count = std::min(kChunk, end - i);
      for (int64_t g = 0; g < count_of_mine; ++g) {
        kernel.word_products(packed[g].columns.data(), x.words + i * x.stride, x.stride, count,
                             products.data());
        kernel.distance_codes(products.data(), packed[g].units, x.units + i, inverse_norms + i, count,
                              threshold, slack[g], static_cast<T>(state.code.resolution),
                              static_cast<T>(1 + state.code.zero), static_cast<T>(state.table.highest()),
                              codes);
        state.table.write(mine[g], i, codes, count);
      }
    }
  });
}

template <class T>
int64_t drift_moved_block(const DriftState<T>& state, int64_t block, const Step<T>& step, const Weights<T>& w,
                          const DriftBatch<T>& batch) {
  const Kernels<T>& kernel = kernels<T>();
  const int64_t stride = w.stride(), k = state.sketch.stride;
  const int64_t end = std::min((block + 1) * kBlock, state.reference.count);
  const bool coasts = w.coast.on(), momentum = w.coast.velocity.data;
  static thread_local std::vector<T> gained;
  int64_t measured = 0;
  for (int64_t r = block * kBlock; r < end; ++r) {
    const int64_t neuron = w.id(r);
    const double length = step.lengths[neuron];
    if (length == 0) {
      if (coasts) set_bounds(state, w, r);
      continue;
    }
    if (coasts) glide_drift(state, w, r);
    Drift& d = state.drift[r];
    const double scale = coasts ? state.motion[r].scale : 1, size = std::abs(scale) * d.reference_norm;
    d.path += length;
    if (k > 0) {
      const int64_t begin = step.begins[neuron], count = step.begins[neuron + 1] - begin;
      const int32_t* ids = step.samples + begin;
      const T* coefficients = step.coefficients + begin;
      double total = 0;
      for (int64_t j = 0; j < count; ++j)
        total += std::abs(static_cast<double>(coefficients[j])) * batch.x.norms[ids[j]];
      const T* moves = coefficients;
      if (coasts) {
        gained.resize(std::max<size_t>(gained.size(), count));
        for (int64_t j = 0; j < count; ++j) gained[j] = step.gain * coefficients[j];
        moves = gained.data();
      }
      T* row = state.sketch[r];
      const double moved = kernel.move_row(row, row + k, batch.sketch.data, k, ids, moves, count);
      // Rounding: of w when the step is added, of the tracked sketch likewise, of both sums.
      const double sums = (3 * count + 16) * unit<T> * total;
      const double error = unit<T> * (size + 3 * (d.measured + d.path)) + std::abs(step.gain) * sums + kTiny;
      d.sketch_error += error;
      d.path_perp += outside(length, norm_below<T>(moved, k) - error);
      if (momentum) {
        T* velocity = state.velocity_sketch[r];
        kernel.move_row(velocity, velocity + k, batch.sketch.data, k, ids, coefficients, count);
        state.motion[r].speed_error += sums;
      }
    }
    if (momentum) measure_speed(state, w, r);
    // Measure again once the way is long beside the last measurement, and long enough to matter. With a
    // sketch only the way outside it counts: the part inside is known.
    const double way = k > 0 ? d.path_perp : d.path, last = k > 0 ? d.measured_perp : d.measured;
    const double square = k > 0 ? kernel.squared_norm(state.sketch[r], k) : 0;
    if (way > last / 8 + 2 / state.code.resolution) {
      ++measured;
      d.measured = distance_from_reference(state, r, w.stored[r], scale, stride);
      d.path = 0;
      d.measured_perp = outside(d.measured, norm_below<T>(square, k) - d.sketch_error);
      d.path_perp = 0;
    }
    d.bound = d.measured + d.path;
    if (k > 0) {
      const double inside = norm_above<T>(square, k) + d.sketch_error, beside = d.measured_perp + d.path_perp;
      d.bound = std::min(d.bound, std::sqrt(inside * inside + beside * beside) * (1 + 1e-15));
    }
    set_bounds(state, w, r);
  }
  return measured;
}

template <class T>
int64_t drift_moved(const DriftState<T>& state, const Step<T>& step, const Weights<T>& w,
                    const DriftBatch<T>& batch) {
  std::atomic<int64_t> measured{0};
  parallel_for(state.n_tabled(),
               [&](int64_t block) { measured += drift_moved_block(state, block, step, w, batch); });
  return measured;
}

template <class T>
void drift_settle(const DriftState<T>& state, const Weights<T>& w) {
  parallel_for(state.n_tabled(), [&](int64_t block) {
    const int64_t end = std::min((block + 1) * kBlock, state.reference.count);
    for (int64_t r = block * kBlock; r < end; ++r) {
      if (state.motion[r].since != w.coast.now) glide_drift(state, w, r);
      state.motion[r].since = 0;  // time begins anew
    }
  });
}

#define FEWFIRE_INSTANTIATE(T)                                                                            \
  template void drift_refresh(const DriftState<T>&, const Weights<T>&, const WordInputs<T>&, const T*, T, \
                              const int64_t*, int64_t);                                                   \
  template int64_t drift_moved_block(const DriftState<T>&, int64_t, const Step<T>&, const Weights<T>&,    \
                                     const DriftBatch<T>&);                                               \
  template int64_t drift_moved(const DriftState<T>&, const Step<T>&, const Weights<T>&,                   \
                               const DriftBatch<T>&);                                                     \
  template void drift_settle(const DriftState<T>&, const Weights<T>&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
