// One search for who fires, a block of 64 neurons at a time. The index proposes pairs by masks and may strike
// some out; the shared dot kernel decides the rest.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/fire_set.h"
#include "core/pool.h"
#include "indexes/found_blocks.h"
#include "kernels/packed_block.h"
#include "kernels/samples.h"
#include "networks/weights.h"

namespace fewfire {

// What a thread works with; kept between searches, so that a steady state allocates nothing.
template <class T>
struct Scratch {
  std::vector<uint64_t> masks;  // one bit a neuron, one word a sample; later turned over
  std::vector<int32_t> ids;     // pairs that wait for their dots
  std::vector<uint8_t> lanes;
  std::vector<T> values, products;
  std::vector<T> rows, sketches;  // of a block, as they are now, where they coast
  PackedBlock<T> block, sketch;

  static Scratch& mine() {
    static thread_local Scratch scratch;
    return scratch;
  }
};

template <class T>
class FireSearch {
 public:
  FireSearch(const Weights<T>& w, const Samples<T>& x, T threshold, FireWork& work)
      : w_(w), x_(x), threshold_(threshold), work_(work), found_(w.count(), w.stored.order) {
    work.start(blocks());
  }

  int64_t blocks() const { return found_.blocks(); }

  // Searches one block. propose(block, scratch) fills scratch.masks, one word a sample;
  // keep(position, ids, count) may strike out ids of one neuron and returns how many are left.
  template <class Propose, class Keep>
  void search(int64_t block, Propose propose, Keep keep) {
    Scratch<T>& s = Scratch<T>::mine();
    const int64_t words = (x_.count() + 63) / 64;
    s.masks.resize(words * 64);
    std::fill(s.masks.begin() + x_.count(), s.masks.end(), 0);
    Stopwatch watch;
    propose(block, s);
    for (int64_t word = 0; word < words; ++word) transpose(s.masks.data() + word * 64);
    work_.filter_ns[block] = watch.lap();
    search_lists(block, [&](int64_t position, int32_t* ids) {
      const int64_t count = kernels<T>().set_bits(s.masks.data() + position % kBlock, words, ids);
      return count > 0 ? keep(position, ids, count) : 0;
    });
  }

  // The same where list(position, ids) writes down the samples proposed to one neuron, ascending, and returns
  // how many; 16 more may be overwritten.
  template <class List>
  void search_lists(int64_t block, List list) {
    Scratch<T>& s = Scratch<T>::mine();
    s.ids.resize(kWaiting + x_.count() + 16);
    s.lanes.resize(kWaiting + x_.count());
    s.values.resize(kWaiting + x_.count());
    Stopwatch watch;
    const int64_t first = block * kBlock;
    const int64_t lanes = std::min(kBlock, w_.count() - first);
    const T* rows[kBlock];
    s.rows.resize(w_.room(kBlock));
    FoundBlock<T>& found = found_.begin(block);
    int64_t waiting = 0;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const int64_t count = list(first + lane, s.ids.data() + waiting);
      if (count == 0) continue;
      rows[lane] = w_.row(first + lane, s.rows.data() + w_.room(lane));
      std::fill_n(s.lanes.data() + waiting, count, static_cast<uint8_t>(lane));
      waiting += count;
      work_.dots[block] += count;
      if (waiting >= kWaiting) {
        decide(rows, s, waiting, found);
        waiting = 0;
      }
    }
    decide(rows, s, waiting, found);
    found_.end(block);
    work_.fired[block] = found.pairs;
    work_.dot_ns[block] = watch.lap();
  }

  // In place of a search, where no neuron of a block can fire.
  void found_none(int64_t block) {
    found_.begin(block);
    found_.end(block);
  }

  FireSet<T> finish() { return found_.finish(); }

 private:
  static constexpr int64_t kWaiting = 1024;  // pairs decided at one time, at the least

  void decide(const T* const* rows, Scratch<T>& s, int64_t count, FoundBlock<T>& found) {
    x_.dots(rows, s.lanes.data(), s.ids.data(), count, s.values.data());
    found.make_room(count);
    int64_t pairs = found.pairs;
    for (int64_t j = 0; j < count; ++j) {  // without branches: they could not be foreseen
      const bool fires = s.values[j] > threshold_;
      found.samples[pairs] = s.ids[j];
      found.values[pairs] = s.values[j];
      found.counts[s.lanes[j]] += fires;
      pairs += fires;
    }
    found.pairs = pairs;
  }

  const Weights<T> w_;
  const Samples<T> x_;
  const T threshold_;
  FireWork& work_;
  FoundBlocks<T> found_;
};

}  // namespace fewfire
