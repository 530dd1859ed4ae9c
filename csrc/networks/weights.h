// The weights of a network as they are now. With momentum or weight decay a neuron moves on though it does
// not fire: it coasts, as all others do, by a linear map of its row w and its velocity v whose four numbers
// are the same for all. Its rows are written only when it fires, or when all are settled; what they have
// become since is worked out where they are needed (docs/theory/momentum.md).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/rows.h"
#include "kernels/kernels.h"

namespace fewfire {

// (w, v) becomes (p w + q v, r w + s v).
struct Flow {
  double p, q, r, s;

  Flow after(const Flow& first) const {
    return {p * first.p + q * first.r, p * first.q + q * first.s, r * first.p + s * first.r,
            r * first.q + s * first.s};
  }
};
constexpr Flow kNoFlow{1, 0, 0, 1};

template <class T>
struct Coast {
  Rows<T> velocity{};           // (m, d) v; no data: no momentum
  int32_t* since = nullptr;     // (m) the time when a neuron's rows were written; null: nothing coasts
  const Flow* flows = nullptr;  // (now + 1) from each time to the present
  int32_t now = 0;

  bool on() const { return since != nullptr; }
  bool has(int64_t r) const { return on() && since[r] != now; }

  // From a time to the present, in the numbers that the kernels take.
  Flow flow(int32_t time) const {
    const Flow& f = flows[std::min(time, now)];  // an index that was not told of a new start asks beyond
    return {static_cast<T>(f.p), static_cast<T>(f.q), static_cast<T>(f.r), static_cast<T>(f.s)};
  }
  T* velocity_row(int64_t r) const { return velocity.data ? velocity[r] : nullptr; }
};

// w and v, in place. All that coasts goes through the one kernel: the bits never depend on who asks.
template <class T>
void glide_rows(const Flow& f, int64_t stride, T* w, T* v) {
  static thread_local std::vector<T> before;
  before.assign(w, w + stride);
  const auto glide = kernels<T>().glide;
  glide(before.data(), v, stride, static_cast<T>(f.p), static_cast<T>(f.q), w);
  if (v) glide(before.data(), v, stride, static_cast<T>(f.r), static_cast<T>(f.s), v);
}

template <class T>
struct Weights {
  Rows<const T> stored;
  Coast<T> coast{};

  int64_t count() const { return stored.count; }
  int64_t stride() const { return stored.stride; }
  int64_t id(int64_t i) const { return stored.id(i); }

  // Row i as it is now: the stored one, or one in `room`.
  const T* row(int64_t i, T* room) const {
    const int64_t r = id(i);
    if (!coast.has(r)) return stored[i];
    const Flow f = coast.flow(coast.since[r]);
    kernels<T>().glide(stored[i], coast.velocity_row(r), stride(), static_cast<T>(f.p), static_cast<T>(f.q),
                       room);
    return room;
  }

  // Length of a room for as many rows.
  int64_t room(int64_t rows) const { return coast.on() ? rows * stride() : 0; }

  // The rows of a block, as they are now; returns how many there are.
  int64_t block(int64_t number, std::vector<T>& rooms, const T** rows) const {
    const int64_t first = number * kBlock, lanes = std::min(kBlock, count() - first);
    rooms.resize(room(kBlock));
    for (int64_t lane = 0; lane < lanes; ++lane) rows[lane] = row(first + lane, rooms.data() + room(lane));
    return lanes;
  }
};

}  // namespace fewfire
