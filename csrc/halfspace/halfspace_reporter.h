// Points that many threads may ask and change: a half-space tree, the ids that it gives out, and a lock.
//
// Questions are readers. A change is alone inside, and so is the rebuilding that questions have paid for: the
// question that finds it due does it before it becomes a reader. Nothing here calls Python, so that whoever
// holds the lock never waits for the GIL; the bindings release the GIL before they call.
#pragma once

#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <vector>

#include "core/turns.h"
#include "halfspace/halfspace_tree.h"

namespace fewfire {

template <class T>
class HalfspaceReporter {
 public:
  explicit HalfspaceReporter(int64_t n_features) : tree_(n_features) {}

  struct Snapshot {
    std::vector<int32_t> ids;  // ascending
    std::vector<T> points;     // (ids, n_features)
  };

  int64_t n_features() const { return tree_.n_features(); }  // never changes
  int64_t size() const;
  int64_t bytes() const;
  TreeWork work() const;
  bool consistent() const;
  bool holds(int64_t id) const;
  std::vector<int32_t> ids() const;
  Snapshot snapshot() const;

  // Gives the points the smallest ids that no point has; false, and nothing is done, where more than `most`
  // points would be held.
  bool insert(const Rows<const T>& points, int64_t most, int32_t* ids);
  // The same with ids that ascend, into a reporter without points.
  void restore(const int32_t* ids, const Rows<const T>& points);
  // These do nothing and say false where an id is not held, or is there twice.
  bool remove(const int64_t* ids, int64_t count);
  bool move(const int64_t* ids, const Rows<const T>& points);
  bool copy(const int64_t* ids, int64_t count, T* points) const;

  // Questions are padded and finite. With `values`, the products of what is reported are written there too.
  Reports report(const Rows<const T>& normals, const T* offsets, std::unique_ptr<T[]>* values);
  std::vector<int64_t> count(const Rows<const T>& normals, const T* offsets);

 private:
  std::shared_lock<Turns> reading() const;
  std::shared_lock<Turns> asking();
  template <class Change>
  void change(Change change);
  void require_sound() const;
  std::vector<int32_t> held_ids() const;
  bool held_once(const int64_t* ids, int64_t count, std::vector<int32_t>& held) const;

  mutable Turns turns_;
  HalfspaceTree<T> tree_;
  std::vector<int32_t> free_;  // a heap, the least first: ids below the end that no point has
  int32_t end_ = 0;            // all ids lie below
  bool broken_ = false;        // a change ended midway: memory or threads ran out
};

}  // namespace fewfire
