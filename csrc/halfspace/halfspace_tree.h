// Which points lie in a half-space? A tree of boxes over points that can be inserted, removed and moved.
//
// A node knows the smallest box around its points. Against a half-space a box proves that all its points lie
// outside, or all inside, or nothing; then its children are asked. A leaf has 16 groups of 16 points: the
// boxes of all its groups are met at one time, and so are the points of a group that the boundary cuts. Those
// within the rounding error of it are decided by the shared dot kernel (docs/theory/halfspace.md).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/rows.h"
#include "kernels/kernels.h"

namespace fewfire {

struct TreeWork {
  int64_t nodes = 0;    // boxes of nodes and of groups, met with a half-space
  int64_t tested = 0;   // points of cut groups, multiplied with a normal
  int64_t decided = 0;  // points left to the shared dot kernel
  int64_t placed = 0;   // points put into a part by a build, once for each part, or into a group
};

// For each question the points in its half-space, or the reverse: those of i are [begins[i], begins[i + 1]).
struct Reports {
  std::unique_ptr<int64_t[]> begins;
  std::unique_ptr<int32_t[]> ids;  // ascending
};

template <class T>
class HalfspaceTree {
 public:
  explicit HalfspaceTree(int64_t n_features);

  int64_t n_features() const { return d_; }
  int64_t size() const { return nodes_[kRoot].size; }
  bool holds(int64_t id) const { return id < static_cast<int64_t>(places_.size()) && places_[id] >= 0; }
  int64_t bytes() const;
  TreeWork work() const;

  // Points by their ids, which are new, or held.
  void insert(const int32_t* ids, const Rows<const T>& points);
  void remove(const int32_t* ids, int64_t count);
  void move(const int32_t* ids, const Rows<const T>& points);
  void copy(const int32_t* ids, int64_t count, T* points) const;

  // Lets change(ids, count, columns) write other numbers from coordinate `first` on for the points of each
  // group, (features, kGroupSize), and say whether it did; side by side. Then all boxes fit again.
  void revise(int64_t first,
              const std::function<bool(const int32_t* ids, int64_t count, T* columns)>& change);

  // For each row of `normals`, padded, the points with <normal, point> > offset as the shared dot kernel
  // finds it, or with `propose` all that it may find so.
  Reports report(const Rows<const T>& normals, const T* offsets, bool propose) const;

  // The products of all that was reported, as the shared dot kernel finds them.
  std::unique_ptr<T[]> products(const Rows<const T>& normals, const Reports& reports) const;

  // For each id below `n_ids` the rows that may find it so.
  Reports proposed_to(const Rows<const T>& normals, const T* offsets, int64_t n_ids) const;

  // As many as would be reported.
  std::vector<int64_t> count(const Rows<const T>& normals, const T* offsets) const;

  // Ski rental: what moves have made worse is paid for by questions; once that comes to the price of a
  // build, all is to be built anew. Questions only count it, so that many threads may ask at one time.
  bool rebuild_is_due() const;
  void rebuild_all() { rebuild(kRoot); }

  bool consistent() const;

 private:
  static constexpr int32_t kRoot = 0;
  static constexpr int64_t kLeaf = kGroupSize * kGroupSize;  // points of a leaf, at the most

  struct Node {
    int32_t parent = -1, left = -1, right = -1;
    int32_t leaf = -1;  // its place among the leaves; -1: it has children
    int32_t size = 0;   // points below
    bool changed = false;
    double cost = 0;  // tests that a question costs below, but for a factor: widths of boxes, times tests
  };

  struct Items {  // on their way into a part of the tree
    std::vector<int32_t> ids;
    std::vector<T> points;  // (n, n_features)
  };

  struct Keyed {
    T key;
    int32_t item;
    bool operator<(const Keyed& o) const { return key < o.key || (key == o.key && item < o.item); }
  };
  struct Part {  // that is to become the tree below a node: a range of the items, and where its nodes lie
    int32_t node;
    int64_t first, size, next_node, next_leaf;
  };
  struct Build;

  struct Halfspace;
  struct Found;

  T* box(int64_t node) { return boxes_.data() + node * 2 * d_; }
  const T* box(int64_t node) const { return boxes_.data() + node * 2 * d_; }
  T* corners(int64_t leaf) { return corners_.data() + leaf * 2 * d_ * kGroupSize; }
  const T* corners(int64_t leaf) const { return corners_.data() + leaf * 2 * d_ * kGroupSize; }
  T* column(int64_t place) {
    return columns_.data() + place / kGroupSize * kGroupSize * d_ + place % kGroupSize;
  }
  const T* column(int64_t place) const {
    return columns_.data() + place / kGroupSize * kGroupSize * d_ + place % kGroupSize;
  }

  void put(int64_t group, int32_t id, const T* point);
  void take(int32_t id);
  int32_t leaf_for(const T* point) const;
  int64_t group_for(int32_t leaf, const T* point) const;
  double growth(const T* low, const T* high, int64_t step, const T* point) const;
  void touch_group(int64_t group);
  void touch(int32_t node);
  void settle();
  void refit(int32_t node);
  bool rebalance(int32_t node);
  void combine(int32_t node);
  void fit_leaf(int32_t node);
  void fit_group(int64_t group, int64_t first);
  double width(int32_t node) const;
  double looseness() const;

  static int64_t leaves_of(int64_t size);
  void collect(int32_t node, Items& out);  // and frees what lies below
  void rebuild(int32_t node, const Items& items);
  void rebuild(int32_t node);
  void split(Build& build, const Part& part, std::vector<Part>* later);
  void divide(Build& build, int64_t first, int64_t size, int64_t group, int64_t groups);
  int64_t halve(Build& build, int64_t first, int64_t size) const;

  void search(const Halfspace& h, Found& found) const;
  void test(const Halfspace& h, bool propose, Found& found) const;
  template <class Each>
  std::vector<Found> ask(const Rows<const T>& normals, const T* offsets, bool propose, Each each) const;
  int64_t list(Found& found) const;
  double mass(const T* normal) const;
  T product(const T* normal, int64_t place, std::vector<T>& row) const;

  const int64_t d_;
  std::vector<Node> nodes_;
  std::vector<T> boxes_;           // (nodes, 2, d): the least and the largest of each coordinate
  std::vector<T> corners_;         // (leaves, 2, d, kGroupSize): likewise of the groups
  std::vector<T> columns_;         // (groups, d, kGroupSize)
  std::vector<int32_t> ids_;       // (groups, kGroupSize)
  std::vector<uint8_t> counts_;    // (groups) points
  std::vector<int32_t> owners_;    // (leaves) nodes; -1: free
  std::vector<uint16_t> changed_;  // (leaves) groups whose box does not fit
  std::vector<int32_t> places_;    // by id: kGroupSize * group + lane; -1: not held
  std::vector<int32_t> free_nodes_, free_leaves_;  // descending: the last is used next
  double fresh_looseness_ = 0;                     // when all was built
  mutable std::mutex tally_;                       // of readers: what they count is below
  mutable double waste_ = 0;                       // tests since then that a new tree would have spared
  mutable TreeWork work_;
};

}  // namespace fewfire
