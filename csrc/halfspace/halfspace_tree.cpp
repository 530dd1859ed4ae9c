#include "halfspace/halfspace_tree.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "core/pool.h"

namespace fewfire {
namespace {

constexpr int64_t kQuestionsPerTask = 8;
constexpr int64_t kPartsInTurn = 8192;  // points: smaller parts are built by one thread each
constexpr double kNodeTests = 2;        // what meeting a box costs, in tests of points
constexpr double kPlacedTests = 8;      // and placing a point in a build
constexpr int64_t kLeafLevels = 5;      // of parts: a leaf, and its halves down to its 16 groups

// The least of 16 numbers and the largest of 16 others, both overwritten; half against half, which the
// compiler does with vectors.
template <class T>
std::pair<T, T> extremes(T* low, T* high) {
  for (int64_t half = kGroupSize / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) {
      low[i] = std::min(low[i], low[i + half]);
      high[i] = std::max(high[i], high[i + half]);
    }
  }
  return {low[0], high[0]};
}

// Puts ids below `range` into ascending order: few by comparisons, many by marking them. Up to 3 more may be
// overwritten behind their end.
template <class T>
void sort_ids(int32_t* ids, int64_t count, int64_t range) {
  static thread_local std::vector<uint64_t> marks;  // none, between two calls
  const int64_t words = (range + 63) / 64;
  if (count < words / 8) {
    std::sort(ids, ids + count);
    return;
  }
  if (static_cast<int64_t>(marks.size()) < words) marks.resize(words);
  for (int64_t i = 0; i < count; ++i) marks[ids[i] >> 6] |= uint64_t{1} << (ids[i] & 63);
  kernels<T>().take_bits(marks.data(), words, ids);
}

}  // namespace

// A question, ready to be put: computed sums not above `low` prove that the shared dot kernel finds a point
// outside, and those not below `high` that it finds it inside.
template <class T>
struct HalfspaceTree<T>::Halfspace {
  const T* normal;
  T offset, low, high;

  Halfspace(const T* normal, T offset, int64_t d, double mass) : normal(normal), offset(offset) {
    // Twice: for our sum and for that of the kernel. Products may underflow.
    const double band = 2 * (rounding<T>(d) * mass + static_cast<double>(d * std::numeric_limits<T>::min()));
    const bool safe = mass < kSafeProduct<T>;  // or else a sum may overflow: nothing is proven, as by NaN
    low = safe ? round_down<T>(offset - band) : std::numeric_limits<T>::quiet_NaN();
    high = safe ? -round_down<T>(-offset - band) : std::numeric_limits<T>::quiet_NaN();
  }
};

// Where a search ends, and what it finds there.
template <class T>
struct HalfspaceTree<T>::Found {
  std::vector<int32_t> stack, leaves;  // leaves that the boundary cuts
  std::vector<int32_t> nodes, groups;  // those that lie inside; groups of leaves that are cut
  std::vector<int32_t> cut;            // groups that the boundary cuts
  std::vector<uint16_t> open, sure;    // their points, once they are tested
  std::vector<T> row;
  std::unique_ptr<int32_t[]> ids;  // of one question after the other; a vector would be filled with zeros
  int64_t pairs = 0, length = 0;   // so many of them count, of so many
  TreeWork work;

  int32_t* room(int64_t more) {
    const int64_t needed = pairs + more + kGroupSize;
    if (length < needed) {
      length = 2 * needed;
      std::unique_ptr<int32_t[]> longer(new int32_t[length]);
      std::copy_n(ids.get(), pairs, longer.get());
      ids = std::move(longer);
    }
    return ids.get() + pairs;
  }
};

template <class T>
struct HalfspaceTree<T>::Build {
  const Items& items;
  std::vector<Keyed> order;
  std::vector<int32_t> nodes, leaves;  // to be used, in this order
};

template <class T>
int64_t HalfspaceTree<T>::leaves_of(int64_t size) {
  return size <= kLeaf ? 1 : leaves_of(size / 2) + leaves_of(size - size / 2);
}

template <class T>
HalfspaceTree<T>::HalfspaceTree(int64_t n_features) : d_(n_features), nodes_(1) {
  rebuild(kRoot, Items{});
}

template <class T>
int64_t HalfspaceTree<T>::bytes() const {
  const auto of = [](const auto& v) { return static_cast<int64_t>(v.capacity() * sizeof(v[0])); };
  return of(nodes_) + of(boxes_) + of(corners_) + of(columns_) + of(ids_) + of(counts_) + of(owners_) +
         of(changed_) + of(places_) + of(free_nodes_) + of(free_leaves_);
}

// ---- updates ----

template <class T>
void HalfspaceTree<T>::put(int64_t group, int32_t id, const T* point) {
  const auto place = static_cast<int32_t>(group * kGroupSize + counts_[group]++);
  T* to = column(place);
  for (int64_t f = 0; f < d_; ++f) to[f * kGroupSize] = point[f];
  ids_[place] = id;
  places_[id] = place;
}

template <class T>
void HalfspaceTree<T>::take(int32_t id) {
  const int32_t place = places_[id];
  const int64_t group = place / kGroupSize, last = group * kGroupSize + --counts_[group];
  for (int64_t f = 0; f < d_; ++f) column(place)[f * kGroupSize] = column(last)[f * kGroupSize];
  ids_[place] = ids_[last];
  places_[ids_[place]] = place;
  places_[id] = -1;
  touch_group(group);
}

// By how much the widths of a box add up to more once a point is in it. Its coordinates lie `step` apart.
template <class T>
double HalfspaceTree<T>::growth(const T* low, const T* high, int64_t step, const T* point) const {
  if (!(low[0] <= high[0])) return 0;  // an empty one
  double sum = 0;
  for (int64_t f = 0; f < d_; ++f) {
    sum += std::max(static_cast<double>(low[f * step]) - point[f], 0.0) +
           std::max(static_cast<double>(point[f]) - high[f * step], 0.0);
  }
  return sum;
}

// The leaf on the way of the least growth; of two that grow alike, the smaller one.
template <class T>
int32_t HalfspaceTree<T>::leaf_for(const T* point) const {
  int32_t node = kRoot;
  while (nodes_[node].leaf < 0) {
    const int32_t left = nodes_[node].left, right = nodes_[node].right;
    const double by_left = growth(box(left), box(left) + d_, 1, point);
    const double by_right = growth(box(right), box(right) + d_, 1, point);
    const bool to_left =
        by_left < by_right || (!(by_right < by_left) && nodes_[left].size <= nodes_[right].size);
    node = to_left ? left : right;
  }
  return node;
}

// Of the groups of a leaf that have room, the one that grows least; of those that grow alike, the smallest.
template <class T>
int64_t HalfspaceTree<T>::group_for(int32_t leaf, const T* point) const {
  int64_t best = -1;
  double by_best = 0;
  for (int64_t group = leaf * kGroupSize; group < (leaf + 1) * kGroupSize; ++group) {
    if (counts_[group] == kGroupSize) continue;
    const T* low = corners(leaf) + group % kGroupSize;
    const double by = growth(low, low + d_ * kGroupSize, kGroupSize, point);
    if (best < 0 || by < by_best || (!(by_best < by) && counts_[group] < counts_[best])) {
      best = group;
      by_best = by;
    }
  }
  return best;
}

template <class T>
void HalfspaceTree<T>::insert(const int32_t* ids, const Rows<const T>& points) {
  if (points.count == 0) return;
  const int32_t highest = *std::max_element(ids, ids + points.count);
  if (highest >= static_cast<int64_t>(places_.size())) places_.resize(highest + 1, -1);
  if (4 * points.count > size()) {
    Items items;
    items.ids.assign(ids, ids + points.count);
    for (int64_t i = 0; i < points.count; ++i)
      items.points.insert(items.points.end(), points[i], points[i] + d_);
    collect(kRoot, items);
    rebuild(kRoot, items);
    return;
  }
  for (int64_t i = 0; i < points.count; ++i) {
    const int32_t node = leaf_for(points[i]);
    if (nodes_[node].size < kLeaf) {
      const int64_t group = group_for(nodes_[node].leaf, points[i]);
      put(group, ids[i], points[i]);
      touch_group(group);
      ++work_.placed;
    } else {
      Items items;
      items.ids.push_back(ids[i]);
      items.points.assign(points[i], points[i] + d_);
      collect(node, items);
      rebuild(node, items);
      touch(node);
    }
    settle();
  }
}

template <class T>
void HalfspaceTree<T>::remove(const int32_t* ids, int64_t count) {
  for (int64_t i = 0; i < count; ++i) take(ids[i]);
  settle();
}

template <class T>
void HalfspaceTree<T>::move(const int32_t* ids, const Rows<const T>& points) {
  for (int64_t i = 0; i < points.count; ++i) {
    const int32_t place = places_[ids[i]];
    T* to = column(place);
    for (int64_t f = 0; f < d_; ++f) to[f * kGroupSize] = points[i][f];
    touch_group(place / kGroupSize);
  }
  settle();
}

template <class T>
void HalfspaceTree<T>::copy(const int32_t* ids, int64_t count, T* points) const {
  for (int64_t i = 0; i < count; ++i) {
    const T* from = column(places_[ids[i]]);
    for (int64_t f = 0; f < d_; ++f) points[i * d_ + f] = from[f * kGroupSize];
  }
}

template <class T>
void HalfspaceTree<T>::revise(
    int64_t first, const std::function<bool(const int32_t* ids, int64_t count, T* columns)>& change) {
  parallel_for(static_cast<int64_t>(owners_.size()), [&](int64_t leaf) {
    const int32_t node = owners_[leaf];
    if (node < 0) return;
    for (int64_t group = leaf * kGroupSize; group < (leaf + 1) * kGroupSize; ++group) {
      if (counts_[group] == 0) continue;
      if (!change(ids_.data() + group * kGroupSize, counts_[group], column(group * kGroupSize))) continue;
      fit_group(group, first);
      nodes_[node].changed = true;
    }
    if (nodes_[node].changed) fit_leaf(node);
  });
  for (const int32_t node : owners_) {
    if (node < 0 || !nodes_[node].changed) continue;
    nodes_[node].changed = false;  // it fits
    touch(nodes_[node].parent);
  }
  settle();
}

// ---- what a node knows of its points ----

template <class T>
double HalfspaceTree<T>::width(int32_t node) const {
  double sum = 0;
  for (int64_t f = 0; f < d_; ++f) sum += static_cast<double>(box(node)[d_ + f]) - box(node)[f];
  return nodes_[node].size > 0 ? sum : 0;
}

template <class T>
void HalfspaceTree<T>::fit_group(int64_t group, int64_t first) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const int64_t count = counts_[group];
  T* corner = corners(group / kGroupSize) + first * kGroupSize + group % kGroupSize;
  for (int64_t f = first; f < d_; ++f, corner += kGroupSize) {
    const T* values = column(group * kGroupSize) + f * kGroupSize;
    T low[kGroupSize], high[kGroupSize];
    for (int64_t i = 0; i < kGroupSize; ++i) {
      low[i] = i < count ? std::min(infinity, values[i]) : infinity;  // NaN counts as nowhere
      high[i] = i < count ? std::max(-infinity, values[i]) : -infinity;
    }
    std::tie(corner[0], corner[d_ * kGroupSize]) = extremes(low, high);
  }
}

// The boxes of the groups that changed, and that around them all.
template <class T>
void HalfspaceTree<T>::fit_leaf(int32_t node) {
  const int64_t leaf = nodes_[node].leaf;
  for (uint32_t groups = changed_[leaf]; groups != 0; groups &= groups - 1)
    fit_group(leaf * kGroupSize + __builtin_ctz(groups), 0);
  changed_[leaf] = 0;
  double widths[kGroupSize] = {};
  for (int64_t f = 0; f < d_; ++f) {
    const T* corner = corners(leaf) + f * kGroupSize;
    T low[kGroupSize], high[kGroupSize];
    for (int64_t i = 0; i < kGroupSize; ++i) {
      low[i] = corner[i];
      high[i] = corner[d_ * kGroupSize + i];
      widths[i] += static_cast<double>(high[i]) - low[i];
    }
    std::tie(box(node)[f], box(node)[d_ + f]) = extremes(low, high);
  }
  Node& n = nodes_[node];
  n.size = 0;
  n.cost = 0;
  for (int64_t i = 0; i < kGroupSize; ++i) {
    const int32_t count = counts_[leaf * kGroupSize + i];
    n.size += count;
    if (count > 0) n.cost += widths[i] * count;
  }
  n.cost += kGroupSize * kNodeTests * width(node);
}

template <class T>
void HalfspaceTree<T>::combine(int32_t node) {
  Node& n = nodes_[node];
  const T *left = box(n.left), *right = box(n.right);
  T* mine = box(node);
  for (int64_t f = 0; f < d_; ++f) {
    mine[f] = std::min(left[f], right[f]);
    mine[d_ + f] = std::max(left[d_ + f], right[d_ + f]);
  }
  n.size = nodes_[n.left].size + nodes_[n.right].size;
  n.cost = nodes_[n.left].cost + nodes_[n.right].cost + 2 * kNodeTests * width(node);
}

template <class T>
void HalfspaceTree<T>::touch_group(int64_t group) {
  const int64_t leaf = group / kGroupSize;
  changed_[leaf] |= static_cast<uint16_t>(1 << group % kGroupSize);
  touch(owners_[leaf]);
}

template <class T>
void HalfspaceTree<T>::touch(int32_t node) {
  for (; node >= 0 && !nodes_[node].changed; node = nodes_[node].parent) nodes_[node].changed = true;
}

// Once some points came, went or moved: every box fits again, and every part is balanced.
template <class T>
void HalfspaceTree<T>::settle() {
  refit(kRoot);
  rebalance(kRoot);
}

template <class T>
void HalfspaceTree<T>::refit(int32_t node) {
  if (!nodes_[node].changed) return;
  if (nodes_[node].leaf >= 0) {
    fit_leaf(node);
  } else {
    refit(nodes_[node].left);
    refit(nodes_[node].right);
    combine(node);
  }
}

// Builds the highest parts anew in which one child has more than two thirds of the points (a scapegoat tree:
// Galperin and Rivest 1993). Says whether it did.
template <class T>
bool HalfspaceTree<T>::rebalance(int32_t node) {
  if (!nodes_[node].changed) return false;
  nodes_[node].changed = false;
  if (nodes_[node].leaf >= 0) return false;
  const int32_t left = nodes_[node].left, right = nodes_[node].right;
  const int64_t larger = std::max(nodes_[left].size, nodes_[right].size);
  if (3 * larger > 2 * int64_t{nodes_[node].size}) {
    rebuild(node);
    return true;
  }
  const bool on_the_left = rebalance(left), on_the_right = rebalance(right);
  if (on_the_left || on_the_right) combine(node);
  return on_the_left || on_the_right;
}

// ---- building ----

template <class T>
void HalfspaceTree<T>::collect(int32_t node, Items& out) {
  std::vector<int32_t> stack{node};
  while (!stack.empty()) {
    const int32_t at = stack.back();
    stack.pop_back();
    Node& n = nodes_[at];
    if (n.leaf >= 0) {
      for (int64_t group = n.leaf * kGroupSize; group < (n.leaf + 1) * kGroupSize; ++group) {
        for (int64_t place = group * kGroupSize; place < group * kGroupSize + counts_[group]; ++place) {
          out.ids.push_back(ids_[place]);
          for (int64_t f = 0; f < d_; ++f) out.points.push_back(column(place)[f * kGroupSize]);
        }
      }
      owners_[n.leaf] = -1;
      free_leaves_.push_back(n.leaf);
    } else {
      stack.push_back(n.right);
      stack.push_back(n.left);
    }
    if (at != node) free_nodes_.push_back(at);
  }
}

template <class T>
void HalfspaceTree<T>::rebuild(int32_t node) {
  Items items;
  collect(node, items);
  rebuild(node, items);
}

// The tree below a node from these items; what it had was collected.
template <class T>
void HalfspaceTree<T>::rebuild(int32_t node, const Items& items) {
  const auto size = static_cast<int64_t>(items.ids.size());
  const int64_t leaves = leaves_of(size);
  Build build{items, std::vector<Keyed>(size), {node}, {}};
  for (int64_t i = 0; i < size; ++i) build.order[i].item = static_cast<int32_t>(i);

  if (node == kRoot) {  // all anew: side by side
    free_nodes_.clear();
    free_leaves_.clear();
    nodes_.resize(1);
    owners_.clear();
  }
  const auto draw = [](std::vector<int32_t>& free, int64_t count, int64_t end, std::vector<int32_t>& out) {
    for (; count > 0 && !free.empty(); --count) {
      out.push_back(free.back());
      free.pop_back();
    }
    for (; count > 0; --count) out.push_back(static_cast<int32_t>(end++));
    return end;
  };
  const int64_t n_nodes = draw(free_nodes_, 2 * leaves - 2, nodes_.size(), build.nodes);
  const int64_t n_leaves = draw(free_leaves_, leaves, owners_.size(), build.leaves);
  nodes_.resize(n_nodes);
  boxes_.resize(n_nodes * 2 * d_);
  owners_.resize(n_leaves);
  changed_.resize(n_leaves);
  corners_.resize(n_leaves * 2 * d_ * kGroupSize);
  counts_.resize(n_leaves * kGroupSize);
  ids_.resize(n_leaves * kLeaf);
  columns_.resize(n_leaves * kLeaf * d_);

  std::vector<Part> parts;
  const Part whole{node, 0, size, 1, 0};
  split(build, whole, &parts);
  parallel_for(static_cast<int64_t>(parts.size()), [&](int64_t i) { split(build, parts[i], nullptr); });
  for (const Part& part : parts)
    for (int32_t up = part.node; up != node;) combine(up = nodes_[up].parent);
  work_.placed += kLeafLevels * size;
  for (int64_t half = size; half > kLeaf; half -= half / 2) work_.placed += size;
  if (node == kRoot) {
    fresh_looseness_ = looseness();
    waste_ = 0;
  }
}

// Halves a part, and so on down to the leaves; or, with `later`, down to parts that are left to others.
template <class T>
void HalfspaceTree<T>::split(Build& build, const Part& part, std::vector<Part>* later) {
  if (later && part.size <= kPartsInTurn) {
    later->push_back(part);
    return;
  }
  Node& n = nodes_[part.node];
  n.changed = false;
  n.left = n.right = n.leaf = -1;
  if (part.size <= kLeaf) {
    n.leaf = build.leaves[part.next_leaf];
    owners_[n.leaf] = part.node;
    changed_[n.leaf] = static_cast<uint16_t>(-1);
    divide(build, part.first, part.size, n.leaf * kGroupSize, kGroupSize);
    fit_leaf(part.node);
    return;
  }
  const int64_t half = halve(build, part.first, part.size), leaves = leaves_of(half);
  const Part left{build.nodes[part.next_node], part.first, half, part.next_node + 1, part.next_leaf};
  const int64_t after = part.next_node + 2 * leaves - 1;
  const Part right{build.nodes[after], part.first + half, part.size - half, after + 1,
                   part.next_leaf + leaves};
  n.left = left.node;
  n.right = right.node;
  nodes_[left.node].parent = nodes_[right.node].parent = part.node;
  split(build, left, later);
  split(build, right, later);
  if (!later) combine(part.node);
}

// Halves the points of a leaf down to its groups.
template <class T>
void HalfspaceTree<T>::divide(Build& build, int64_t first, int64_t size, int64_t group, int64_t groups) {
  if (groups == 1) {
    counts_[group] = 0;
    for (int64_t i = first; i < first + size; ++i) {
      const int64_t item = build.order[i].item;
      put(group, build.items.ids[item], build.items.points.data() + item * d_);
    }
    return;
  }
  const int64_t half = halve(build, first, size);
  divide(build, first, half, group, groups / 2);
  divide(build, first + half, size - half, group + groups / 2, groups / 2);
}

// Puts the first half of a range of items below the median of their widest coordinate; returns its size.
template <class T>
int64_t HalfspaceTree<T>::halve(Build& build, int64_t first, int64_t size) const {
  Keyed* order = build.order.data() + first;
  const T* points = build.items.points.data();
  if (size < 2) return size / 2;
  static thread_local std::vector<T> low, high;
  low.assign(points + order[0].item * d_, points + order[0].item * d_ + d_);
  high = low;
  for (int64_t i = 1; i < size; ++i) {
    const T* point = points + order[i].item * d_;
    for (int64_t f = 0; f < d_; ++f) {
      low[f] = std::min(low[f], point[f]);
      high[f] = std::max(high[f], point[f]);
    }
  }
  int64_t widest = 0;
  for (int64_t f = 1; f < d_; ++f)
    if (static_cast<double>(high[f]) - low[f] > static_cast<double>(high[widest]) - low[widest]) widest = f;
  for (int64_t i = 0; i < size; ++i) order[i].key = points[order[i].item * d_ + widest];
  std::nth_element(order, order + size / 2, order + size);
  return size / 2;
}

// Tests that a point costs on average, but for a factor that a new tree would have as well.
template <class T>
double HalfspaceTree<T>::looseness() const {
  return nodes_[kRoot].cost / (width(kRoot) * static_cast<double>(size()));
}

template <class T>
bool HalfspaceTree<T>::rebuild_is_due() const {
  const double price =
      kPlacedTests * static_cast<double>(size()) * std::log2(2.0 + static_cast<double>(size()));
  std::lock_guard lock(tally_);
  return waste_ > price;
}

template <class T>
TreeWork HalfspaceTree<T>::work() const {
  std::lock_guard lock(tally_);
  return work_;
}

// ---- questions ----

template <class T>
double HalfspaceTree<T>::mass(const T* normal) const {
  double sum = 0;
  for (int64_t f = 0; f < d_; ++f)
    sum += std::abs(static_cast<double>(normal[f])) *
           std::max(std::abs(static_cast<double>(box(kRoot)[f])),
                    std::abs(static_cast<double>(box(kRoot)[d_ + f])));
  return sum;
}

template <class T>
void HalfspaceTree<T>::search(const Halfspace& h, Found& found) const {
  found.leaves.clear();
  found.nodes.clear();
  found.stack.assign(1, kRoot);
  while (!found.stack.empty()) {
    const int32_t node = found.stack.back();
    found.stack.pop_back();
    ++found.work.nodes;
    const T *low = box(node), *high = low + d_;
    T most = 0, least = 0;
    for (int64_t f = 0; f < d_; ++f) {
      const T one = h.normal[f] * low[f], other = h.normal[f] * high[f];
      most += std::max(one, other);
      least += std::min(one, other);
    }
    if (most <= h.low) continue;
    const Node& n = nodes_[node];
    if (least >= h.high) {
      found.nodes.push_back(node);
    } else if (n.leaf >= 0) {
      found.leaves.push_back(n.leaf);
    } else {
      found.stack.push_back(n.right);
      found.stack.push_back(n.left);
    }
  }

  const auto masks = [&](const std::vector<int32_t>& where, const std::vector<T>& what, auto kernel) {
    const auto count = static_cast<int64_t>(where.size());
    found.open.resize(count);
    found.sure.resize(count);
    kernel(what.data(), where.data(), count, h.normal, d_, h.low, h.high, found.open.data(),
           found.sure.data());
  };
  masks(found.leaves, corners_, kernels<T>().box_masks);
  found.work.nodes += kGroupSize * static_cast<int64_t>(found.leaves.size());
  found.groups.clear();
  found.cut.clear();
  for (size_t i = 0; i < found.leaves.size(); ++i) {
    for (uint32_t open = found.open[i]; open != 0; open &= open - 1) {
      const int lane = __builtin_ctz(open);
      const auto group = static_cast<int32_t>(found.leaves[i] * kGroupSize + lane);
      if (found.sure[i] >> lane & 1) {
        found.groups.push_back(group);
      } else {
        found.cut.push_back(group);
        found.work.tested += counts_[group];
      }
    }
  }
  masks(found.cut, columns_, kernels<T>().point_masks);
}

// What the shared dot kernel finds for a normal and the point at a place; `row` is room for it, padded with
// zeros.
template <class T>
T HalfspaceTree<T>::product(const T* normal, int64_t place, std::vector<T>& row) const {
  const T* point = column(place);
  for (int64_t f = 0; f < d_; ++f) row[f] = point[f * kGroupSize];
  const T* one = row.data();
  const uint8_t first = 0;
  const int32_t id = 0;
  T product;
  kernels<T>().pair_dots(&one, &first, normal, static_cast<int64_t>(row.size()), &id, 1, &product);
  return product;
}

// Leaves in open[i] the points of cut group i that are reported.
template <class T>
void HalfspaceTree<T>::test(const Halfspace& h, bool propose, Found& found) const {
  for (size_t i = 0; i < found.cut.size(); ++i) {
    const int64_t group = found.cut[i];
    uint32_t open = found.open[i] & ((1u << counts_[group]) - 1);
    uint32_t doubtful = propose ? 0 : open & ~found.sure[i];
    for (; doubtful != 0; doubtful &= doubtful - 1) {
      const int lane = __builtin_ctz(doubtful);
      if (!(product(h.normal, group * kGroupSize + lane, found.row) > h.offset)) open &= ~(1u << lane);
      ++found.work.decided;
    }
    found.open[i] = static_cast<uint16_t>(open);
  }
}

// Puts all questions, kQuestionsPerTask in turn to one of `found`; each(question, found) once one is
// answered.
template <class T>
template <class Each>
std::vector<typename HalfspaceTree<T>::Found> HalfspaceTree<T>::ask(const Rows<const T>& normals,
                                                                    const T* offsets, bool propose,
                                                                    Each each) const {
  std::vector<Found> all((normals.count + kQuestionsPerTask - 1) / kQuestionsPerTask);
  parallel_for(static_cast<int64_t>(all.size()), [&](int64_t task) {
    Found& found = all[task];
    found.row.resize(normals.stride);
    const int64_t end = std::min((task + 1) * kQuestionsPerTask, normals.count);
    for (int64_t i = task * kQuestionsPerTask; i < end; ++i) {
      const Halfspace h(normals[i], offsets[i], d_, mass(normals[i]));
      search(h, found);
      test(h, propose, found);
      each(i, found);
    }
  });
  double tests = 0;
  std::lock_guard lock(tally_);
  for (const Found& found : all) {
    work_.nodes += found.work.nodes;
    work_.tested += found.work.tested;
    work_.decided += found.work.decided;
    tests += static_cast<double>(found.work.tested) + kNodeTests * static_cast<double>(found.work.nodes);
  }
  const double spared = tests * (1 - fresh_looseness_ / looseness());
  if (spared > 0) waste_ += spared;
  return all;
}

// Appends the ids of what was found last; returns how many.
template <class T>
int64_t HalfspaceTree<T>::list(Found& found) const {
  const int64_t before = found.pairs;
  const auto add = [&](int32_t* to, int64_t group) {
    std::copy_n(ids_.data() + group * kGroupSize, kGroupSize, to);  // a fixed number is faster
    return to + counts_[group];
  };
  for (const int32_t node : found.nodes) {
    found.stack.assign(1, node);
    int32_t* to = found.room(nodes_[node].size);
    found.pairs += nodes_[node].size;
    while (!found.stack.empty()) {
      const Node& n = nodes_[found.stack.back()];
      found.stack.pop_back();
      if (n.leaf >= 0) {
        for (int64_t group = n.leaf * kGroupSize; group < (n.leaf + 1) * kGroupSize; ++group)
          to = add(to, group);
      } else {
        found.stack.push_back(n.right);
        found.stack.push_back(n.left);
      }
    }
  }
  const auto groups = static_cast<int64_t>(found.groups.size()), cut = static_cast<int64_t>(found.cut.size());
  int32_t* const first = found.room(kGroupSize * (groups + cut));
  int32_t* to = first;
  for (const int32_t group : found.groups) to = add(to, group);
  to += kernels<T>().masked_ids(ids_.data(), found.cut.data(), cut, found.open.data(), to);
  found.pairs += to - first;
  return found.pairs - before;
}

template <class T>
Reports HalfspaceTree<T>::report(const Rows<const T>& normals, const T* offsets, bool propose) const {
  Reports out{std::unique_ptr<int64_t[]>(new int64_t[normals.count + 1]), nullptr};
  out.begins[0] = 0;
  const auto range = static_cast<int64_t>(places_.size());
  const std::vector<Found> all = ask(normals, offsets, propose, [&](int64_t question, Found& found) {
    const int64_t count = out.begins[question + 1] = list(found);
    sort_ids<T>(found.ids.get() + found.pairs - count, count, range);
  });
  for (int64_t i = 0; i < normals.count; ++i) out.begins[i + 1] += out.begins[i];
  out.ids.reset(new int32_t[out.begins[normals.count]]);
  for (size_t task = 0; task < all.size(); ++task)
    std::copy_n(all[task].ids.get(), all[task].pairs, out.ids.get() + out.begins[task * kQuestionsPerTask]);
  return out;
}

template <class T>
std::unique_ptr<T[]> HalfspaceTree<T>::products(const Rows<const T>& normals, const Reports& reports) const {
  std::unique_ptr<T[]> values(new T[reports.begins[normals.count]]);
  parallel_for(normals.count, [&](int64_t i) {
    std::vector<T> row(normals.stride);
    for (int64_t k = reports.begins[i]; k < reports.begins[i + 1]; ++k)
      values[k] = product(normals[i], places_[reports.ids[k]], row);
  });
  return values;
}

template <class T>
Reports HalfspaceTree<T>::proposed_to(const Rows<const T>& normals, const T* offsets, int64_t n_ids) const {
  std::vector<int64_t> counts(normals.count);
  const std::vector<Found> all =
      ask(normals, offsets, true, [&](int64_t question, Found& found) { counts[question] = list(found); });
  Reports out{std::unique_ptr<int64_t[]>(new int64_t[n_ids + 1]()), nullptr};
  int64_t* begins = out.begins.get();
  for (const Found& found : all)
    for (int64_t i = 0; i < found.pairs; ++i) ++begins[found.ids[i] + 1];
  for (int64_t id = 0; id < n_ids; ++id) begins[id + 1] += begins[id];
  out.ids.reset(new int32_t[begins[n_ids]]);
  std::vector<int64_t> next(begins, begins + n_ids);
  int64_t question = 0;
  for (const Found& found : all) {
    for (int64_t i = 0; i < found.pairs; ++question)
      for (const int64_t end = i + counts[question]; i < end; ++i)
        out.ids[next[found.ids[i]]++] = static_cast<int32_t>(question);
    question = (&found - all.data() + 1) * kQuestionsPerTask;
  }
  return out;
}

template <class T>
std::vector<int64_t> HalfspaceTree<T>::count(const Rows<const T>& normals, const T* offsets) const {
  std::vector<int64_t> counts(normals.count);
  ask(normals, offsets, false, [&](int64_t question, Found& found) {
    for (const int32_t node : found.nodes) counts[question] += nodes_[node].size;
    for (const int32_t group : found.groups) counts[question] += counts_[group];
    for (const uint16_t mask : found.open) counts[question] += __builtin_popcount(mask);
  });
  return counts;
}

// For tests: whether everything is what it should be.
template <class T>
bool HalfspaceTree<T>::consistent() const {
  int64_t points = 0;
  std::vector<int32_t> stack{kRoot};
  while (!stack.empty()) {
    const int32_t node = stack.back();
    stack.pop_back();
    const Node& n = nodes_[node];
    if (n.changed) return false;
    if (n.leaf < 0) {
      const int64_t larger = std::max(nodes_[n.left].size, nodes_[n.right].size);
      if (n.size != nodes_[n.left].size + nodes_[n.right].size || 3 * larger > 2 * int64_t{n.size})
        return false;
      for (const int32_t child : {n.left, n.right}) {
        if (nodes_[child].parent != node) return false;
        stack.push_back(child);
      }
      for (int64_t f = 0; f < d_; ++f)
        if (box(node)[f] != std::min(box(n.left)[f], box(n.right)[f]) ||
            box(node)[d_ + f] != std::max(box(n.left)[d_ + f], box(n.right)[d_ + f]))
          return false;
      continue;
    }
    int32_t size = 0;
    for (int64_t group = n.leaf * kGroupSize; group < (n.leaf + 1) * kGroupSize; ++group)
      size += counts_[group];
    if (owners_[n.leaf] != node || changed_[n.leaf] != 0 || size != n.size || size > kLeaf) return false;
    points += size;
    for (int64_t group = n.leaf * kGroupSize; group < (n.leaf + 1) * kGroupSize; ++group) {
      const T *low = corners(n.leaf) + group % kGroupSize, *high = low + d_ * kGroupSize;
      for (int64_t place = group * kGroupSize; place < group * kGroupSize + counts_[group]; ++place) {
        if (places_[ids_[place]] != place) return false;
        for (int64_t f = 0; f < d_; ++f) {
          const T value = column(place)[f * kGroupSize];
          if (!(low[f * kGroupSize] <= value && value <= high[f * kGroupSize])) return false;
          if (!(box(node)[f] <= value && value <= box(node)[d_ + f])) return false;
        }
      }
    }
  }
  return points == size() &&
         points == std::count_if(places_.begin(), places_.end(), [](int32_t place) { return place >= 0; });
}

template class HalfspaceTree<float>;
template class HalfspaceTree<double>;

}  // namespace fewfire
