#include "indexes/sparse_product.h"

#include <algorithm>

#include "core/aligned.h"
#include "core/pool.h"
#include "indexes/found_blocks.h"
#include "kernels/kernels.h"

namespace fewfire {
namespace {

// What a thread works with.
template <class T>
struct Rooms {
  AlignedRoom<T> columns, sums;
  std::vector<uint64_t> masks;

  static Rooms& mine() {
    static thread_local Rooms rooms;
    return rooms;
  }
};

// sums (x.count, 64) of a block; move(part) is called before a part of its columns is read.
template <class T, class Move>
T* products_of_block(const Rows<const T>& w, const SparseInputs<T>& x, const ColumnParts<T>& parts,
                     int64_t block, Rooms<T>& rooms, Move move) {
  const Kernels<T>& kernel = kernels<T>();
  const int64_t first_row = block * kBlock, lanes = std::min(kBlock, w.count - first_row);
  T* columns = rooms.columns.of(ColumnParts<T>::kColumns * kBlock);
  T* sums = rooms.sums.of(x.count * kBlock);
  std::fill_n(sums, x.count * kBlock, T{0});
  for (int64_t part = 0; part < parts.count(); ++part) {
    move(part);
    const T* rows[kBlock];  // a short last block repeats its first row, in lanes that nobody reads
    for (int64_t lane = 0; lane < kBlock; ++lane)
      rows[lane] = w[first_row + (lane < lanes ? lane : 0)] + parts.first(part);
    kernel.transpose_rows(rows, parts.columns(part), columns);
    kernel.sparse_products(columns, parts.first(part), x.ids, x.values, parts.begins(part), parts.ends(part),
                           x.count, sums);
  }
  return sums;
}

// Writes down which of the sums (n_samples, 64) lie above the threshold; NaN does not.
template <class T>
void find_above(const T* sums, int64_t n_samples, int64_t lanes, T threshold, std::vector<uint64_t>& masks,
                FoundBlock<T>& found) {
  const int64_t words = (n_samples + 63) / 64;
  masks.assign(words * 64, 0);
  kernels<T>().fire_masks(sums, n_samples, threshold, masks.data());
  for (int64_t word = 0; word < words; ++word) transpose(masks.data() + word * 64);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    found.make_room(n_samples + 16);
    int32_t* samples = found.samples.data() + found.pairs;
    const int64_t count = kernels<T>().set_bits(masks.data() + lane, words, samples);
    for (int64_t j = 0; j < count; ++j) found.values[found.pairs + j] = sums[samples[j] * kBlock + lane];
    found.counts[lane] = count;
    found.pairs += count;
  }
}

template <class T, class Move>
FireSet<T> search(const Rows<const T>& w, const SparseInputs<T>& x, T threshold, FireWork& work, Move move) {
  FoundBlocks<T> all(w.count);
  work.start(all.blocks());
  const ColumnParts<T> parts(x, w.stride);
  parallel_for(all.blocks(), [&](int64_t block) {
    Rooms<T>& rooms = Rooms<T>::mine();
    const T* sums = products_of_block(w, x, parts, block, rooms, [&](int64_t part) { move(block, part); });
    FoundBlock<T>& found = all.begin(block);
    find_above(sums, x.count, std::min(kBlock, w.count - block * kBlock), threshold, rooms.masks, found);
    all.end(block);
    work.fired[block] = found.pairs;
  });
  return all.finish();
}

}  // namespace

template <class T>
FireSet<T> sparse_fire_set(const Rows<const T>& w, const SparseInputs<T>& x, T threshold, FireWork& work) {
  return search(w, x, threshold, work, [](int64_t, int64_t) {});
}

template <class T>
FireSet<T> sparse_step(const SparseDescent<T>& descent, const SparseInputs<T>& next, T threshold,
                       FireWork& work) {
  const Rows<const T> w{descent.w.data, descent.w.count, descent.w.stride};
  const ColumnParts<T> parts(descent.x, w.stride);
  return search(w, next, threshold, work,
                [&](int64_t block, int64_t part) { descent.move_part(parts, block, part); });
}

#define FEWFIRE_INSTANTIATE(T)                                                                     \
  template FireSet<T> sparse_fire_set(const Rows<const T>&, const SparseInputs<T>&, T, FireWork&); \
  template FireSet<T> sparse_step(const SparseDescent<T>&, const SparseInputs<T>&, T, FireWork&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
