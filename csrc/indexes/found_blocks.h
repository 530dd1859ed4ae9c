// What fires, found a block of 64 neurons at a time, and put into the order of the neurons.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/fire_set.h"
#include "core/pool.h"
#include "kernels/kernels.h"

namespace fewfire {

// Turns a 64 x 64 bit matrix over its diagonal: bit j of a[i] becomes bit i of a[j].
inline void transpose(uint64_t* a) {
  uint64_t mask = 0x00000000FFFFFFFF;
  for (int j = 32; j != 0; j >>= 1, mask ^= mask << j) {
    for (int k = 0; k < 64; k = (k + j + 1) & ~j) {
      const uint64_t t = ((a[k] >> j) ^ a[k + j]) & mask;
      a[k] ^= t << j;
      a[k + j] ^= t;
    }
  }
}

// The pairs of a block, by the position of their neurons.
template <class T>
struct FoundBlock {
  std::vector<int32_t> samples;  // as long as ever needed; `pairs` of them count
  std::vector<T> values;
  int64_t counts[kBlock];
  int64_t pairs;

  void clear() {
    std::fill(counts, counts + kBlock, 0);
    pairs = 0;
  }
  void make_room(int64_t more) {
    if (static_cast<int64_t>(samples.size()) < pairs + more) {
      samples.resize(2 * (pairs + more));
      values.resize(2 * (pairs + more));
    }
  }
};

// Where an order is given, the neuron at position i is order[i].
template <class T>
class FoundBlocks {
 public:
  explicit FoundBlocks(int64_t n_neurons, const int32_t* order = nullptr)
      : count_(n_neurons), order_(order), blocks_((n_neurons + kBlock - 1) / kBlock) {
    static thread_local std::vector<FoundBlock<T>> found;  // of the thread that asks
    found_ = &found;
    if (static_cast<int64_t>(found.size()) < blocks_) found.resize(blocks_);
    out_.begins.reset(new int64_t[n_neurons + 1]);
    out_.begins[0] = 0;
  }

  int64_t blocks() const { return blocks_; }

  // The block, empty, to be filled by one thread.
  FoundBlock<T>& begin(int64_t block) {
    (*found_)[block].clear();
    return (*found_)[block];
  }

  // All of the block was found.
  void end(int64_t block) {
    const FoundBlock<T>& found = (*found_)[block];
    const int64_t last = std::min((block + 1) * kBlock, count_);
    for (int64_t position = block * kBlock; position < last; ++position)
      out_.begins[id(position) + 1] = found.counts[position % kBlock];
  }

  // All blocks were; in the order of the neurons.
  FireSet<T> finish() {
    for (int64_t r = 0; r < count_; ++r) out_.begins[r + 1] += out_.begins[r];
    out_.samples.reset(new int32_t[out_.begins[count_]]);
    out_.values.reset(new T[out_.begins[count_]]);
    parallel_for(blocks_, [&](int64_t block) {
      const FoundBlock<T>& found = (*found_)[block];
      const int64_t last = std::min((block + 1) * kBlock, count_);
      int64_t from = 0;
      for (int64_t position = block * kBlock; position < last; ++position) {
        const int64_t count = found.counts[position % kBlock];
        if (count == 0) continue;
        const int64_t to = out_.begins[id(position)];
        std::copy_n(found.samples.data() + from, count, out_.samples.get() + to);
        std::copy_n(found.values.data() + from, count, out_.values.get() + to);
        from += count;
      }
    });
    if (out_.begins[count_] > kKept) *found_ = std::vector<FoundBlock<T>>();
    return std::move(out_);
  }

 private:
  static constexpr int64_t kKept = int64_t{1}
                                   << 24;  // beyond as many pairs nothing is kept for the next time

  int64_t id(int64_t position) const { return order_ ? order_[position] : position; }

  const int64_t count_;
  const int32_t* order_;
  const int64_t blocks_;
  std::vector<FoundBlock<T>>* found_;
  FireSet<T> out_;
};

}  // namespace fewfire
