// Who fires, by the drift index: the filters, and the step that moves and asks in one pass.
#include <atomic>

#include "indexes/drift.h"
#include "indexes/exhaustive.h"
#include "indexes/fire_search.h"

namespace fewfire {
namespace {

constexpr int64_t kChunk = 48;  // samples whose sketches are multiplied with a block at one time

// Beyond this share of pairs that pass the first filter, the sketch test of all pairs of a block in one
// blocked product is cheaper than one test for each.
constexpr double kDenseShare = 0.16;

template <class T>
class DriftFilters {
 public:
  DriftFilters(const DriftState<T>& state, const DriftBatch<T>& batch, const Weights<T>& w, T threshold,
               FireWork& work)
      : state_(state),
        batch_(batch),
        w_(w),
        threshold_(threshold),
        largest_norm_(largest_norm(batch.x)),
        unit_(static_cast<T>(1 / state.code.resolution)),
        zero_(static_cast<T>((1 + state.code.zero) / state.code.resolution)),
        work_(work) {}

  void search(FireSearch<T>& search, int64_t block) const {
    if (block >= state_.n_searched) return search.found_none(block);
    if (block >= state_.n_tabled()) {
      search.search(
          block,
          [&](int64_t, Scratch<T>& s) { propose_all(block, w_, batch_.x, largest_norm_, threshold_, s); },
          [](int64_t, int32_t*, int64_t count) { return count; });
      work_.near[block] = work_.dots[block];
      return;
    }
    bool pair_by_pair = false;
    search.search(
        block,
        [&](int64_t, Scratch<T>& s) {
          const int64_t near = within_reach(block, s);
          work_.near[block] = near;
          const int64_t pairs = kBlock * batch_.x.count();
          if (state_.sketch.stride == 0 || near == 0) return;
          pair_by_pair = static_cast<double>(near) < kDenseShare * static_cast<double>(pairs);
          if (!pair_by_pair) test_block(block, s);
          work_.sketched[block] = pair_by_pair ? near : pairs;
        },
        [&](int64_t position, int32_t* ids, int64_t count) {
          return pair_by_pair ? test_pairs(position, ids, count) : count;
        });
  }

 private:
  // The norm bound: proposes the pairs whose code is within the neuron's reach.
  int64_t within_reach(int64_t block, Scratch<T>& s) const {
    const int64_t lanes = std::min(kBlock, state_.reference.count - block * kBlock);
    const auto kernel = state_.table.packed() ? kernels<T>().within_reach_packed : kernels<T>().within_reach;
    return kernel(state_.table.lines(block), state_.reach + block * kBlock, ~uint64_t{0} >> (kBlock - lanes),
                  batch_.ids, batch_.x.count(), s.masks.data());
  }

  // The sketch bound for all pairs of a block.
  void test_block(int64_t block, Scratch<T>& s) const {
    const int64_t k = state_.sketch.stride, first = block * kBlock;
    const Kernels<T>& kernel = kernels<T>();
    const int64_t lanes = std::min(kBlock, state_.sketch.count - first);
    const T* rows[kBlock];
    s.sketches.resize(w_.coast.on() ? kBlock * k : 0);
    for (int64_t lane = 0; lane < lanes; ++lane)
      rows[lane] = sketch(first + lane, s.sketches.data() + (w_.coast.on() ? lane * k : 0));
    s.sketch.pack(rows, lanes, k);
    const auto bound = state_.table.packed() ? kernel.sketch_bound_packed : kernel.sketch_bound;
    s.products.resize(kChunk * kBlock);
    for (int64_t i = 0; i < batch_.x.count(); i += kChunk) {
      const int64_t count = std::min(kChunk, batch_.x.count() - i);
      kernel.block_products(s.sketch.columns.data(), batch_.sketch[i], k, count, s.products.data());
      bound(s.products.data(), state_.table.lines(block), batch_.ids + i, state_.perps + first,
            state_.slacks + first, batch_.perps + i, batch_.x.norms + i, count, unit_, zero_,
            s.masks.data() + i);
    }
  }

  // P D of a neuron as it is now, in units of its scale: the tracked one, or one in `room`.
  const T* sketch(int64_t position, T* room) const {
    if (!w_.coast.on()) return state_.sketch[position];
    const Glide glide = drift_glide(state_, w_, position);
    const double scale = state_.motion[position].scale_now;
    kernels<T>().glide(
        state_.sketch[position], w_.coast.velocity.data ? state_.velocity_sketch[position] : nullptr,
        state_.sketch.stride, static_cast<T>(glide.p / scale), static_cast<T>(glide.q / scale), room);
    return room;
  }

  // The sketch bound for some pairs of a neuron; strikes out those that it proves silent.
  int64_t test_pairs(int64_t position, int32_t* ids, int64_t count) const {
    static thread_local std::vector<T> moved, room;
    moved.resize(std::max<size_t>(moved.size(), count));
    room.resize(state_.sketch.stride);
    kernels<T>().dots(sketch(position, room.data()), batch_.sketch.data, batch_.sketch.stride, ids, count,
                      moved.data());
    const CodeColumn codes(state_.table, position / kBlock, position % kBlock);
    const T perp = state_.perps[position], slack = state_.slacks[position];
    int64_t left = 0;
    for (int64_t j = 0; j < count; ++j) {
      const int32_t i = ids[j];
      const auto code = static_cast<T>(codes[batch_.ids[i]]);
      const T norm = batch_.x.norms[i];
      const bool silent =
          code > 0 && moved[j] + perp * batch_.perps[i] + slack * norm <= (code * unit_ - zero_) * norm;
      ids[left] = i;
      left += !silent;
    }
    return left;
  }

  const DriftState<T>& state_;
  const DriftBatch<T>& batch_;
  const Weights<T> w_;
  const T threshold_;
  const double largest_norm_;
  const T unit_, zero_;
  FireWork& work_;
};

}  // namespace

template <class T>
FireSet<T> drift_fire_set(const DriftState<T>& state, const DriftBatch<T>& batch, const Weights<T>& w,
                          T threshold, FireWork& work) {
  FireSearch<T> search(w, batch.x, threshold, work);
  const DriftFilters<T> filters(state, batch, w, threshold, work);
  parallel_for(search.blocks(), [&](int64_t block) { filters.search(search, block); });
  return search.finish();
}

template <class T>
FireSet<T> drift_step(const DriftState<T>& state, const Descent<T>& descent, const DriftBatch<T>& batch,
                      const DriftBatch<T>& next, const int32_t* order, FireWork& work, int64_t& measured) {
  const Weights<T> w{{descent.w.data, descent.w.count, descent.w.stride, order}, descent.coast};
  const Step<T> step{descent.fires.begins, descent.fires.samples, descent.coefficients, descent.lengths,
                     descent.gain};
  FireSearch<T> search(w, next.x, descent.threshold, work);
  const DriftFilters<T> filters(state, next, w, descent.threshold, work);
  std::atomic<int64_t> all_measured{0};
  parallel_for(search.blocks(), [&](int64_t block) {
    Stopwatch watch;
    descent.move_block(order, block);
    work.move_ns[block] = watch.lap();
    if (block < state.n_tabled()) all_measured += drift_moved_block(state, block, step, w, batch);
    work.drift_ns[block] = watch.lap();
    filters.search(search, block);
  });
  measured = all_measured;
  return search.finish();
}

#define FEWFIRE_INSTANTIATE(T)                                                                         \
  template FireSet<T> drift_fire_set(const DriftState<T>&, const DriftBatch<T>&, const Weights<T>&, T, \
                                     FireWork&);                                                       \
  template FireSet<T> drift_step(const DriftState<T>&, const Descent<T>&, const DriftBatch<T>&,        \
                                 const DriftBatch<T>&, const int32_t*, FireWork&, int64_t&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
