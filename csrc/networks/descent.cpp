#include "networks/descent.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/pool.h"
#include "kernels/kernels.h"
#include "kernels/packed_block.h"
#include "networks/sums.h"

namespace fewfire {

namespace {

constexpr int64_t kOutputGroups = 64, kGradientGroups = 16;  // at the most

}  // namespace

namespace {

// Adds up a_r (<w_r, x_i> - b) over the neurons that fire on i.
template <class T>
auto activations_of(const FireView<T>& fires, const Rows<const T>& a, T threshold) {
  return [=](int64_t r, T* partial) {
    static thread_local std::vector<T> activations;
    const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
    activations.resize(std::max<size_t>(activations.size(), count));
    for (int64_t j = 0; j < count; ++j) activations[j] = fires.values[begin + j] - threshold;
    kernels<T>().scatter_row(a[r], a.stride, fires.samples + begin, activations.data(), count, partial);
  };
}

}  // namespace

int64_t output_groups(int64_t neurons, int64_t size) { return groups_of(neurons, size, kOutputGroups); }

template <class T>
void forward(const FireView<T>& fires, const Rows<const T>& a, T threshold, T scale, const Rows<T>& outputs) {
  const int64_t groups = output_groups(a.count, outputs.count * outputs.stride);
  sum_over_neurons(a.count, groups, scale, outputs, activations_of(fires, a, threshold));
}

template <class T>
void forward_groups(const FireView<T>& fires, const Rows<const T>& a, T threshold, int64_t groups,
                    const Rows<T>& sums) {
  sum_over_neurons(a.count, groups, T{1}, sums, activations_of(fires, a, threshold));
}

template <class T>
void input_gradients(const FireView<T>& fires, const Rows<const T>& a, const Rows<const T>& residual,
                     const Weights<T>& w, T scale, const Rows<T>& gradients) {
  const int64_t groups = groups_of(a.count, gradients.count * gradients.stride, kGradientGroups);
  sum_over_neurons(a.count, groups, scale, gradients, [&](int64_t r, T* partial) {
    static thread_local std::vector<T> pulls, room;
    const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
    if (count == 0) return;
    pulls.resize(std::max<size_t>(pulls.size(), count));
    room.resize(std::max<size_t>(room.size(), w.stride()));
    const int32_t* ids = fires.samples + begin;
    kernels<T>().dots(a[r], residual.data, residual.stride, ids, count, pulls.data());
    kernels<T>().scatter_row(w.row(r, room.data()), w.stride(), ids, pulls.data(), count, partial);
  });
}

template <class T>
void forward_of_all(const Rows<const T>& w, const Rows<const T>& x, T threshold, T scale,
                    const Rows<const T>& a, int64_t n_outputs, const Rows<T>& outputs) {
  const int64_t groups = output_groups(a.count, outputs.count * outputs.stride);
  const int64_t group = (a.count + groups - 1) / groups, size = n_outputs * kBlock;
  parallel_for((x.count + kBlock - 1) / kBlock, [&](int64_t block) {
    static thread_local PackedBlock<T> packed;
    static thread_local std::vector<T> partial;
    const int64_t first = block * kBlock, count = std::min(kBlock, x.count - first);
    const T* rows[kBlock];
    for (int64_t s = 0; s < count; ++s) rows[s] = x[first + s];
    packed.pack(rows, count, x.stride);
    partial.assign(groups * size, T{0});
    for (int64_t r = 0, g = 0; r < a.count; r += group, ++g)
      kernels<T>().add_activations(w[r], packed.columns.data(), w.stride, threshold, a[r], a.stride,
                                   n_outputs, std::min(group, a.count - r), partial.data() + g * size);
    add_in_pairs(partial.data(), groups, size, size);
    for (int64_t s = 0; s < count; ++s)
      for (int64_t k = 0; k < n_outputs; ++k) outputs[first + s][k] = scale * partial[k * kBlock + s];
  });
}

template <class T>
void Descent<T>::move(int64_t r, int64_t next) const {
  const Kernels<T>& kernel = kernels<T>();
  const int64_t begin = fires.begins[r], count = fires.begins[r + 1] - begin;
  const int32_t* ids = fires.samples + begin;
  T* c = coefficients + begin;
  if (pulls) {
    for (int64_t j = 0; j < count; ++j) c[j] = -rate * pulls[begin + j];
  } else {
    kernel.dots(a[r], residual.data, residual.stride, ids, count, c);
    for (int64_t j = 0; j < count; ++j) c[j] *= -rate * scale;
  }
  static thread_local std::vector<T> room;
  room.resize(std::max<size_t>(room.size(), count));
  const T* moves = c;
  if (coast.on()) {
    coast_to_now(r);
    if (coast.velocity.data) x.move(coast.velocity[r], coast.velocity[next], ids, c, count);
    for (int64_t j = 0; j < count; ++j) room[j] = gain * c[j];
    moves = room.data();
  }
  const double square = x.move(w[r], w[next], ids, moves, count);
  lengths[r] = std::sqrt(square) * (1 + rounding<T>(w.stride)) + 1e-18;
  if (a_rate > 0) {
    for (int64_t j = 0; j < count; ++j) room[j] = -a_rate * scale * (fires.values[begin + j] - threshold);
    if (coast.on()) {
      coast_output(r);
      if (a_velocity.data)
        kernel.move_row(a_velocity[r], a_velocity[next], residual.data, residual.stride, ids, room.data(),
                        count);
      for (int64_t j = 0; j < count; ++j) room[j] *= gain;
    }
    kernel.move_row(a[r], a[next], residual.data, residual.stride, ids, room.data(), count);
  }
}

template <class T>
void Descent<T>::coast_to_now(int64_t r) const {
  if (coast.has(r)) glide_rows(coast.flow(coast.since[r]), w.stride, w[r], coast.velocity_row(r));
  coast.since[r] = coast.now;
}

template <class T>
void Descent<T>::coast_output(int64_t r) const {
  glide_rows(flow, a.stride, a[r], a_velocity.data ? a_velocity[r] : nullptr);
}

template <class T>
void Descent<T>::move_block(const int32_t* order, int64_t block) const {
  const int64_t first = block * kBlock, end = std::min(first + kBlock, w.count);
  int64_t firing[kBlock + 1], count = 0;
  for (int64_t position = first; position < end; ++position) {
    const int64_t r = order ? order[position] : position;
    lengths[r] = 0;
    if (fires.begins[r] < fires.begins[r + 1])
      firing[count++] = r;
    else if (coast.on() && a_rate > 0)
      coast_output(r);
  }
  for (int64_t i = 0; i < count; ++i) move(firing[i], firing[std::min(i + 1, count - 1)]);
}

template <class T>
void backward(const Descent<T>& descent) {
  parallel_for((descent.w.count + kBlock - 1) / kBlock,
               [&](int64_t block) { descent.move_block(nullptr, block); });
}

template <class T>
void settle(const Rows<T>& w, const Coast<T>& coast) {
  parallel_for((w.count + kBlock - 1) / kBlock, [&](int64_t block) {
    for (int64_t r = block * kBlock; r < std::min((block + 1) * kBlock, w.count); ++r)
      if (coast.has(r)) glide_rows(coast.flow(coast.since[r]), w.stride, w[r], coast.velocity_row(r));
  });
  std::fill_n(coast.since, w.count, 0);
}

#define FEWFIRE_INSTANTIATE(T)                                                                         \
  template void forward(const FireView<T>&, const Rows<const T>&, T, T, const Rows<T>&);               \
  template void forward_groups(const FireView<T>&, const Rows<const T>&, T, int64_t, const Rows<T>&);  \
  template void input_gradients(const FireView<T>&, const Rows<const T>&, const Rows<const T>&,        \
                                const Weights<T>&, T, const Rows<T>&);                                 \
  template void forward_of_all(const Rows<const T>&, const Rows<const T>&, T, T, const Rows<const T>&, \
                               int64_t, const Rows<T>&);                                               \
  template struct Descent<T>;                                                                          \
  template void backward(const Descent<T>&);                                                           \
  template void settle(const Rows<T>&, const Coast<T>&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
