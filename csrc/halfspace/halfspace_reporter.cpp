#include "halfspace/halfspace_reporter.h"

#include <algorithm>
#include <functional>

namespace fewfire {

template <class T>
void HalfspaceReporter<T>::require_sound() const {
  if (broken_)
    throw std::runtime_error(
        "a reporter must have had memory and threads for each change. Got one that ran out of them while it "
        "changed. Load it from a file again, or make another.");
}

template <class T>
std::shared_lock<Turns> HalfspaceReporter<T>::reading() const {
  std::shared_lock lock(turns_);
  require_sound();
  return lock;
}

template <class T>
std::shared_lock<Turns> HalfspaceReporter<T>::asking() {
  std::shared_lock<Turns> lock = reading();
  if (!tree_.rebuild_is_due()) return lock;
  lock.unlock();
  {
    std::unique_lock alone(turns_);
    require_sound();
    if (tree_.rebuild_is_due()) change([&] { tree_.rebuild_all(); });
  }
  return reading();
}

// Changes the tree; the caller is alone inside.
template <class T>
template <class Change>
void HalfspaceReporter<T>::change(Change change) {
  broken_ = true;
  change();
  broken_ = false;
}

template <class T>
int64_t HalfspaceReporter<T>::size() const {
  const auto lock = reading();
  return tree_.size();
}

template <class T>
int64_t HalfspaceReporter<T>::bytes() const {
  const auto lock = reading();
  return tree_.bytes() + static_cast<int64_t>(free_.capacity() * sizeof(int32_t));
}

template <class T>
TreeWork HalfspaceReporter<T>::work() const {
  const auto lock = reading();
  return tree_.work();
}

template <class T>
bool HalfspaceReporter<T>::consistent() const {
  const auto lock = reading();
  const auto is_held = [&](int32_t id) { return tree_.holds(id); };
  return tree_.consistent() && tree_.size() == end_ - static_cast<int64_t>(free_.size()) &&
         std::none_of(free_.begin(), free_.end(), is_held);
}

template <class T>
bool HalfspaceReporter<T>::holds(int64_t id) const {
  const auto lock = reading();
  return id >= 0 && tree_.holds(id);
}

// The ids of all points; the caller is inside.
template <class T>
std::vector<int32_t> HalfspaceReporter<T>::held_ids() const {
  std::vector<int32_t> held;
  held.reserve(tree_.size());
  for (int32_t id = 0; id < end_; ++id)
    if (tree_.holds(id)) held.push_back(id);
  return held;
}

template <class T>
std::vector<int32_t> HalfspaceReporter<T>::ids() const {
  const auto lock = reading();
  return held_ids();
}

template <class T>
typename HalfspaceReporter<T>::Snapshot HalfspaceReporter<T>::snapshot() const {
  const auto lock = reading();
  Snapshot out{held_ids(), std::vector<T>(tree_.size() * n_features())};
  tree_.copy(out.ids.data(), tree_.size(), out.points.data());
  return out;
}

template <class T>
bool HalfspaceReporter<T>::insert(const Rows<const T>& points, int64_t most, int32_t* ids) {
  std::unique_lock lock(turns_);
  require_sound();
  if (tree_.size() + points.count > most) return false;
  const int64_t reused = std::min(points.count, static_cast<int64_t>(free_.size()));
  change([&] {
    for (int64_t i = 0; i < reused; ++i) {
      ids[i] = free_.front();
      std::pop_heap(free_.begin(), free_.end(), std::greater<>());
      free_.pop_back();
    }
    for (int64_t i = reused; i < points.count; ++i) ids[i] = end_++;
    tree_.insert(ids, points);
  });
  return true;
}

template <class T>
void HalfspaceReporter<T>::restore(const int32_t* ids, const Rows<const T>& points) {
  std::unique_lock lock(turns_);
  require_sound();
  if (points.count == 0) return;
  change([&] {
    for (int64_t i = 0; i < points.count; ++i, ++end_)
      for (; end_ < ids[i]; ++end_) free_.push_back(end_);  // ascending: a heap
    tree_.insert(ids, points);
  });
}

template <class T>
bool HalfspaceReporter<T>::held_once(const int64_t* ids, int64_t count, std::vector<int32_t>& held) const {
  for (int64_t i = 0; i < count; ++i)
    if (ids[i] < 0 || !tree_.holds(ids[i])) return false;
  held.assign(ids, ids + count);
  std::vector<int32_t> sorted(held);
  std::sort(sorted.begin(), sorted.end());
  return std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
}

template <class T>
bool HalfspaceReporter<T>::remove(const int64_t* ids, int64_t count) {
  std::unique_lock lock(turns_);
  require_sound();
  std::vector<int32_t> held;
  if (!held_once(ids, count, held)) return false;
  change([&] {
    tree_.remove(held.data(), count);
    for (const int32_t id : held) {
      free_.push_back(id);
      std::push_heap(free_.begin(), free_.end(), std::greater<>());
    }
  });
  return true;
}

template <class T>
bool HalfspaceReporter<T>::move(const int64_t* ids, const Rows<const T>& points) {
  std::unique_lock lock(turns_);
  require_sound();
  std::vector<int32_t> held;
  if (!held_once(ids, points.count, held)) return false;
  change([&] { tree_.move(held.data(), points); });
  return true;
}

template <class T>
bool HalfspaceReporter<T>::copy(const int64_t* ids, int64_t count, T* points) const {
  const auto lock = reading();
  std::vector<int32_t> held;
  if (!held_once(ids, count, held)) return false;
  tree_.copy(held.data(), count, points);
  return true;
}

template <class T>
Reports HalfspaceReporter<T>::report(const Rows<const T>& normals, const T* offsets,
                                     std::unique_ptr<T[]>* values) {
  const auto lock = asking();
  Reports reports = tree_.report(normals, offsets, false);
  if (values) *values = tree_.products(normals, reports);
  return reports;
}

template <class T>
std::vector<int64_t> HalfspaceReporter<T>::count(const Rows<const T>& normals, const T* offsets) {
  const auto lock = asking();
  return tree_.count(normals, offsets);
}

template class HalfspaceReporter<float>;
template class HalfspaceReporter<double>;

}  // namespace fewfire
