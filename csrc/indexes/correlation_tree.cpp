#include "indexes/correlation_tree.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "indexes/fire_search.h"

namespace fewfire {
namespace {

constexpr double kShortest = 1e-15;  // nothing is proven of shorter samples (docs/theory/rounding.md)

// Multiply-adds that a dot takes as long as, beside its own (docs/decisions/0014-costs.md).
constexpr int64_t kPairOverhead = 100;

// A row is recomputed once its bounds are this much wider than what the dot kernel's rounding takes anyway.
constexpr double kWide = 8;

// What the shared dot kernel may lose, beside the norm of the sample.
template <class T>
double dot_error(double norm, int64_t stride) {
  return rounding<T>(stride) * norm + kTiny;
}

template <class T>
constexpr double kRoundingError = std::numeric_limits<T>::epsilon();  // of one operation, doubled

// As the shared dot kernel gives them, raised by twice its error: by one they bound the product, by two also
// what any kernel gives.
template <class T>
void recompute(const CorrelationTrees<T>& trees, int64_t r, const T* w, int64_t w_stride,
               const Samples<T>& x) {
  static thread_local std::vector<int32_t> ids;
  static thread_local std::vector<uint8_t> lanes;
  const int64_t n = x.count();
  if (static_cast<int64_t>(ids.size()) < n) {
    ids.resize(n);
    lanes.resize(n);
    std::iota(ids.begin(), ids.end(), 0);
  }
  T* row = trees.row(r);
  x.dots(&w, lanes.data(), ids.data(), n, row);
  const double norm = norm_above<T>(kernels<T>().squared_norm(w, w_stride), w_stride);
  const double error = dot_error<T>(norm, w_stride);
  const double raised = 2 * error + 2 * kRoundingError<T> * norm;
  const double longest = kSafeProduct<T> / norm;
  for (int64_t i = 0; i < n; ++i) {
    const T length = x.norms[i];
    const bool proven = length >= kShortest && length < longest;
    row[i] = proven ? row[i] + round_up<T>(raised) * length : std::numeric_limits<T>::infinity();
  }
  trees.rows[r] = {norm, error + 1.01 * raised + 2 * kRoundingError<T> * norm};
}

// Adds sum_j c_j <x_j, x_i> to the correlations of a neuron, and as much as its bounds need. Where that is
// not cheaper, or nothing would be proven, it does nothing and says so.
template <class T>
bool move_through_gram(const CorrelationTrees<T>& trees, int64_t r, const Step<T>& step, const int32_t* ids,
                       const Samples<T>& x, int64_t w_stride) {
  const int64_t begin = step.begins[r], count = step.begins[r + 1] - begin;
  if (!trees.gram.data || count + 1 > x.rows.stride + kPairOverhead) return false;

  static thread_local std::vector<int32_t> places;
  static thread_local std::vector<T> coefficients;
  places.resize(count + 1);
  coefficients.assign(step.coefficients + begin, step.coefficients + begin + count);
  double push = 0;  // sum_j |c_j| |x_j|
  for (int64_t j = 0; j < count; ++j) {
    places[j] = ids[step.samples[begin + j]];
    push += std::abs(static_cast<double>(coefficients[j])) * x.norms[places[j]];
  }
  Correlations c = trees.rows[r];
  c.norm += step.lengths[r];
  const double sum_error = rounding<T>(count + 1);
  const double error = kRoundingError<T> * (2 * c.norm + c.spread)  // of the new w, and of the new sums
                       + (2 * sum_error + trees.gram_error) * push + kTiny;
  const double needed = dot_error<T>(c.norm, w_stride);
  const double raised = (error + rounding<T>(w_stride) * step.lengths[r]) / (1 - sum_error);
  c.spread += error + 1.01 * raised;
  const double largest = std::max(c.norm, push) * trees.largest_norm;
  if (!(c.spread <= kWide * needed && largest < kSafeProduct<T>)) return false;  // nor where they are NaN

  places[count] = static_cast<int32_t>(x.count());  // the norms
  coefficients.push_back(round_up<T>(raised));
  T* row = trees.row(r);
  kernels<T>().move_row(row, row, trees.gram.data, trees.gram.stride, places.data(), coefficients.data(),
                        count + 1);
  trees.rows[r] = c;
  return true;
}

// The nodes above changed leaves of a block, up to its root; returns how many.
template <class T>
int64_t refresh_block(const Forest<T>& forest, int64_t block, uint64_t changed) {
  int64_t refreshed = 0;
  for (int64_t size = kBlock / 2; size >= 1; size /= 2) {
    const int64_t first = (forest.leaves / kBlock + block) * size;
    uint64_t above = 0;
    for (int64_t j = 0; j < size; ++j) {
      if ((changed >> 2 * j & 3) == 0) continue;
      forest.refresh(first + j);
      above |= uint64_t{1} << j;
      ++refreshed;
    }
    changed = above;
  }
  return refreshed;
}

// Those above the roots of blocks.
template <class T>
int64_t refresh_top(const Forest<T>& forest, const std::vector<uint64_t>& changed) {
  const auto blocks = static_cast<int64_t>(changed.size());
  std::vector<bool> below(2 * blocks);
  for (int64_t block = 0; block < blocks; ++block) below[blocks + block] = changed[block] != 0;
  int64_t refreshed = 0;
  for (int64_t p = blocks - 1; p >= 1; --p) {
    if (!below[2 * p] && !below[2 * p + 1]) continue;
    forest.refresh(p);
    below[p] = true;
    ++refreshed;
  }
  return refreshed;
}

// Changes rows of correlations, then the nodes above them; change(r) says whether it changed that of neuron
// r. Returns how many nodes.
template <class T, class Change>
int64_t change_rows(const CorrelationTrees<T>& trees, Change change) {
  std::vector<uint64_t> changed(trees.blocks());
  std::atomic<int64_t> refreshed{0};
  parallel_for(trees.blocks(), [&](int64_t block) {
    const int64_t first = block * kBlock, lanes = std::min(kBlock, trees.n_neurons - first);
    int64_t nodes = 0;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      if (!change(first + lane)) continue;
      changed[block] |= uint64_t{1} << lane;
      if (trees.by_sample) continue;
      const Forest<T> tree = trees.of_neuron(first + lane);
      for (int64_t p = tree.leaves - 1; p >= 1; --p) tree.refresh(p);
      nodes += tree.leaves - 1;
    }
    if (trees.by_sample) nodes += trees.stride * refresh_block(trees.of_samples(), block, changed[block]);
    refreshed += nodes;
  });
  if (trees.by_sample) refreshed += trees.stride * refresh_top(trees.of_samples(), changed);
  return refreshed;
}

// A node of one of the trees.
struct Place {
  int32_t node, tree;
};

// Places of one level that a search has come to, and room for those of the next.
class Frontier {
 public:
  static Frontier& mine() {
    static thread_local Frontier frontier;
    return frontier;
  }

  void start(Place place) {
    if (count_ == now_.size()) now_.resize(2 * count_ + kBlock);
    now_[count_++] = place;
  }

  // Goes down, level by level, wherever a value is not <= the threshold (infinity counts), to the nodes from
  // `last` on, and reports those. value(place) looks a node up. Returns how many were met.
  template <class T, class Value, class Report>
  int64_t descend(int64_t last, T threshold, Value value, Report report) {
    int64_t met = 0;
    while (count_ > 0) {
      met += static_cast<int64_t>(count_);
      if (next_.size() < 2 * count_) next_.resize(2 * count_);
      Place* child = next_.data();
      for (size_t j = 0; j < count_; ++j) {
        const Place place = now_[j];
        const bool above = !(value(place) <= threshold);
        if (place.node >= last) {
          if (above) report(place);
        } else {  // without branches: they could not be foreseen
          child[0] = {2 * place.node, place.tree};
          child[1] = {2 * place.node + 1, place.tree};
          child += 2 * above;
        }
      }
      count_ = static_cast<size_t>(child - next_.data());
      now_.swap(next_);
    }
    return met;
  }

 private:
  std::vector<Place> now_, next_;  // as long as ever needed; count_ of the first
  size_t count_ = 0;
};

// The trees of the samples of a batch, side by side.
template <class T>
class BySample {
 public:
  BySample(const CorrelationTrees<T>& trees, const Samples<T>& batch, const int32_t* ids, T threshold)
      : forest_(trees.of_samples()), ids_(ids), threshold_(threshold), roots_(trees.blocks()) {
    Frontier& frontier = Frontier::mine();
    for (int64_t i = 0; i < batch.count(); ++i) frontier.start({1, static_cast<int32_t>(i)});
    met_ = frontier.descend(
        trees.blocks(), threshold, [&](const Place& p) { return value(p); },
        [&](const Place& p) { roots_[p.node - trees.blocks()].push_back(p.tree); });
  }

  int64_t met() const { return met_; }  // above the roots of blocks, and those

  int64_t propose(int64_t block, std::vector<uint64_t>& masks) const {
    Frontier& frontier = Frontier::mine();
    const int64_t first = forest_.leaves + block * kBlock;
    const auto children = static_cast<int32_t>(2 * (first / kBlock));
    for (const int32_t i : roots_[block]) {
      frontier.start({children, i});
      frontier.start({children + 1, i});
    }
    return frontier.descend(
        forest_.leaves, threshold_, [&](const Place& p) { return value(p); },
        [&](const Place& p) { masks[p.tree] |= uint64_t{1} << (p.node - first); });
  }

 private:
  T value(const Place& p) const { return forest_[p.node][ids_[p.tree]]; }

  const Forest<T> forest_;
  const int32_t* ids_;
  const T threshold_;
  std::vector<std::vector<int32_t>> roots_;  // positions in the batch whose trees go on in a block
  int64_t met_;
};

// One tree a neuron; the samples that are found are looked up in the batch.
template <class T>
class ByNeuron {
 public:
  ByNeuron(const CorrelationTrees<T>& trees, const Samples<T>& batch, const int32_t* ids, T threshold)
      : trees_(trees), threshold_(threshold), first_(trees.stride, -1), next_(batch.count()) {
    for (int64_t i = batch.count() - 1; i >= 0; --i) {
      next_[i] = first_[ids[i]];
      first_[ids[i]] = static_cast<int32_t>(i);
    }
  }

  int64_t met() const { return 0; }

  int64_t propose(int64_t block, std::vector<uint64_t>& masks) const {
    Frontier& frontier = Frontier::mine();
    const int64_t first = block * kBlock, lanes = std::min(kBlock, trees_.n_neurons - first);
    int64_t met = 0;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const Forest<T> tree = trees_.of_neuron(first + lane);
      frontier.start({1, 0});
      met += frontier.descend(
          tree.leaves, threshold_, [&](const Place& p) { return *tree[p.node]; },
          [&](const Place& p) {
            for (int32_t i = first_[p.node - tree.leaves]; i >= 0; i = next_[i])
              masks[i] |= uint64_t{1} << lane;
          });
    }
    return met;
  }

 private:
  const CorrelationTrees<T>& trees_;
  const T threshold_;
  std::vector<int32_t> first_;  // by id: its first position in the batch, or -1
  std::vector<int32_t> next_;   // by position: the next one of the same id, or -1
};

template <class T, class Trees>
FireSet<T> search_trees(const Trees& trees, const Samples<T>& batch, const Weights<T>& w, T threshold,
                        FireWork& work, int64_t& compared) {
  FireSearch<T> search(w, batch, threshold, work);
  std::atomic<int64_t> met{trees.met()};
  parallel_for(search.blocks(), [&](int64_t block) {
    search.search(
        block,
        [&](int64_t, Scratch<T>& s) {
          std::fill_n(s.masks.begin(), batch.count(), 0);
          met += trees.propose(block, s.masks);
        },
        [](int64_t, int32_t*, int64_t count) { return count; });
    work.near[block] = work.dots[block];
  });
  compared = met;
  return search.finish();
}

}  // namespace

template <class T>
void Forest<T>::refresh(int64_t p) const {
  const T *left = (*this)[2 * p], *right = left + width;
  T* node = (*this)[p];
  for (int64_t i = 0; i < width; ++i) node[i] = std::max(left[i], right[i]);
}

template <class T>
CorrelationWork correlation_refresh(const CorrelationTrees<T>& trees, const Weights<T>& w,
                                    const Samples<T>& x) {
  const int64_t maxima = change_rows(trees, [&](int64_t r) {
    static thread_local std::vector<T> room;
    room.resize(w.room(1));
    recompute(trees, r, w.row(r, room.data()), w.stride(), x);
    return true;
  });
  return {trees.n_neurons * x.count(), 0, maxima};
}

template <class T>
CorrelationWork correlation_moved(const CorrelationTrees<T>& trees, const Step<T>& step, const int32_t* ids,
                                  const Weights<T>& w, const Samples<T>& x) {
  std::atomic<int64_t> recomputed{0}, added{0};
  const int64_t maxima = change_rows(trees, [&](int64_t r) {
    if (step.lengths[r] == 0) return false;
    if (move_through_gram(trees, r, step, ids, x, w.stride())) {
      added += step.begins[r + 1] - step.begins[r] + 1;
    } else {
      recompute(trees, r, w.stored[r], w.stride(), x);
      ++recomputed;
    }
    return true;
  });
  return {recomputed * x.count(), added * x.count(), maxima};
}

template <class T>
FireSet<T> correlation_fire_set(const CorrelationTrees<T>& trees, const Samples<T>& batch, const int32_t* ids,
                                const Weights<T>& w, T threshold, FireWork& work, int64_t& compared) {
  if (trees.by_sample)
    return search_trees(BySample<T>(trees, batch, ids, threshold), batch, w, threshold, work, compared);
  return search_trees(ByNeuron<T>(trees, batch, ids, threshold), batch, w, threshold, work, compared);
}

#define FEWFIRE_INSTANTIATE(T)                                                                            \
  template struct Forest<T>;                                                                              \
  template CorrelationWork correlation_refresh(const CorrelationTrees<T>&, const Weights<T>&,             \
                                               const Samples<T>&);                                        \
  template CorrelationWork correlation_moved(const CorrelationTrees<T>&, const Step<T>&, const int32_t*,  \
                                             const Weights<T>&, const Samples<T>&);                       \
  template FireSet<T> correlation_fire_set(const CorrelationTrees<T>&, const Samples<T>&, const int32_t*, \
                                           const Weights<T>&, T, FireWork&, int64_t&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
