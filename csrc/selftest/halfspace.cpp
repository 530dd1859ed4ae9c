// The half-space tree.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <new>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/pool.h"
#include "halfspace/halfspace_reporter.h"
#include "selftest/checks.h"
#include "selftest/numbers.h"

static thread_local int64_t allocations_left = -1;  // of this thread, before one that fails; -1: none does

// Not inlined: GCC would warn of each `new` that it then sees freed by std::free.
[[gnu::noinline]] void* operator new(size_t size) {
  void* memory = allocations_left == 0 ? nullptr : std::malloc(size);
  if (allocations_left >= 0) --allocations_left;
  if (!memory) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace fewfire::selftest {
namespace {

// Points of small whole numbers, whose products are exact, come, go and move; loops say which are reported.
template <class T>
void check_halfspaces(const char* type) {
  where = std::string("half-spaces, ") + type;
  std::mt19937 random(11);
  const auto whole = [&](int most) { return std::uniform_int_distribution<int>(-most, most)(random); };
  for (const int64_t d : {1, 2, 3, 5, 20}) {
    HalfspaceTree<T> tree(d);
    std::map<int32_t, std::vector<T>> held;
    for (int round = 0; round < 12; ++round) {
      std::vector<int32_t> some, fresh;
      for (const auto& [id, point] : held)
        if (whole(10) > (round % 3 == 0 ? 8 : 0)) some.push_back(id);
      for (int32_t id = 0; id < 700; ++id)
        if (held.count(id) == 0 && whole(10) > (round % 4 == 0 ? 0 : 8)) fresh.push_back(id);
      std::vector<T> points((some.size() + fresh.size()) * d);
      for (T& value : points) value = static_cast<T>(whole(3));
      const auto n_some = static_cast<int64_t>(some.size()), n_fresh = static_cast<int64_t>(fresh.size());
      const T* more = points.data() + n_some * d;
      tree.insert(fresh.data(), {more, n_fresh, d});
      for (int64_t i = 0; i < n_fresh; ++i) held[fresh[i]].assign(more + i * d, more + (i + 1) * d);
      if (round % 5 == 4) {
        tree.remove(some.data(), n_some);
        for (const int32_t id : some) held.erase(id);
      } else {
        tree.move(some.data(), {points.data(), n_some, d});
        for (int64_t i = 0; i < n_some; ++i)
          held[some[i]].assign(points.begin() + i * d, points.begin() + (i + 1) * d);
      }
      if (round % 3 == 2) {  // a third of the points, all at one time
        tree.revise(0, [](const int32_t* ids, int64_t count, T* columns) {
          bool changed = false;
          for (int64_t lane = 0; lane < count; ++lane) {
            if (ids[lane] % 3 != 0) continue;
            columns[lane] += 1;
            changed = true;
          }
          return changed;
        });
        for (auto& [id, point] : held) point[0] += static_cast<T>(id % 3 == 0);
      }
      check(tree.consistent(), "the tree is sound");
      check(tree.size() == static_cast<int64_t>(held.size()), "no point is lost");

      Matrix<T> normals(30, d);
      std::vector<T> offsets(30);
      for (int64_t i = 0; i < 30; ++i) {
        for (int64_t f = 0; f < d; ++f) normals[i][f] = static_cast<T>(whole(2));
        offsets[i] = static_cast<T>(whole(5));
      }
      set_threads(1 + round % 3);
      const Reports found = tree.report(normals.view(), offsets.data(), false);
      const Reports proposed = tree.proposed_to(normals.view(), offsets.data(), 700);
      const std::vector<int64_t> counts = tree.count(normals.view(), offsets.data());
      for (int64_t i = 0; i < 30; ++i) {
        std::vector<int32_t> expected;
        for (const auto& [id, point] : held)
          if (dot(point.data(), normals[i], d) > offsets[i]) expected.push_back(id);
        const int32_t *first = found.ids.get() + found.begins[i],
                      *end = found.ids.get() + found.begins[i + 1];
        check(std::equal(first, end, expected.begin(), expected.end()), "what is reported");
        check(counts[i] == end - first, "what is counted");
        for (const int32_t id : expected)
          check(std::binary_search(proposed.ids.get() + proposed.begins[id],
                                   proposed.ids.get() + proposed.begins[id + 1], i),
                "what is proposed");
      }
    }
  }
  set_threads(1);
}

// Threads ask and change one reporter. Half of the points never change; so every answer holds those of them
// that it must hold, and of the others none that lies outside wherever it is. In the end all of these are
// gone.
template <class T>
void check_threads(const char* type) {
  where = std::string("a reporter and threads, ") + type;
  constexpr int64_t d = 3, n_still = 2000, n_moving = 300;
  std::mt19937 random(5);
  const Matrix<T> padded_still = random_matrix<T>(n_still, d, random);
  std::vector<T> still;
  for (int64_t i = 0; i < n_still; ++i) still.insert(still.end(), padded_still[i], padded_still[i] + d);
  HalfspaceReporter<T> reporter(d);
  std::vector<int32_t> ids(n_still);
  check(reporter.insert({still.data(), n_still, d}, n_still, ids.data()), "there is room");
  check(!reporter.insert({still.data(), 1, d}, n_still, ids.data()), "there is no room");

  set_threads(3);
  const int rounds = 8;
  std::atomic<bool> sound{true};
  const auto ask = [&](unsigned seed) {
    std::mt19937 own(seed);
    for (int round = 0; round < rounds; ++round) {
      const Matrix<T> normals = random_matrix<T>(20, d, own);
      const std::vector<T> offsets(20, T{1});
      std::unique_ptr<T[]> values;
      const Reports found = reporter.report(normals.view(), offsets.data(), &values);
      const std::vector<int64_t> counts = reporter.count(normals.view(), offsets.data());
      for (int64_t i = 0; i < 20; ++i) {
        int64_t expected = 0, reported = 0;
        for (int64_t p = 0; p < n_still; ++p) expected += dot(padded_still[p], normals[i], d) > 1;
        for (int64_t k = found.begins[i]; k < found.begins[i + 1]; ++k) {
          reported += found.ids[k] < n_still;
          if (!(values[k] > 1)) sound = false;
        }
        // the loop rounds otherwise: a point or two may lie so near
        if (std::abs(expected - reported) > 2 || counts[i] + 2 < expected) sound = false;
      }
      if (reporter.size() < n_still || !reporter.holds(0) || reporter.work().nodes == 0) sound = false;
    }
  };
  const auto alter = [&](unsigned seed) {
    std::mt19937 own(seed);
    for (int round = 0; round < rounds; ++round) {
      std::vector<T> points(n_moving * d);
      for (T& value : points) value = static_cast<T>(std::normal_distribution<double>()(own));
      std::vector<int32_t> mine(n_moving);
      if (!reporter.insert({points.data(), n_moving, d}, 1 << 20, mine.data())) sound = false;
      const std::vector<int64_t> held(mine.begin(), mine.end());
      std::reverse(points.begin(), points.end());
      if (!reporter.move(held.data(), {points.data(), n_moving, d})) sound = false;
      std::vector<T> copied(n_moving * d);
      if (!reporter.copy(held.data(), n_moving, copied.data()) || copied != points) sound = false;
      const auto all = reporter.snapshot();
      if (static_cast<int64_t>(all.ids.size()) < n_still + n_moving) sound = false;
      if (!reporter.remove(held.data(), n_moving)) sound = false;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 2; ++i) {
    threads.emplace_back(ask, 2 * i);
    threads.emplace_back(alter, 2 * i + 1);
  }
  for (std::thread& thread : threads) thread.join();
  set_threads(1);
  check(sound, "what threads are told");
  check(reporter.size() == n_still && reporter.consistent(), "what threads leave");
}

// Questions pay for building anew what moves made worse; whichever thread finds it due does it.
void check_repair() {
  where = "a reporter that is due to be built anew";
  constexpr int64_t d = 2, n = 3000;
  std::mt19937 random(6);
  std::vector<double> points(n * d);
  for (double& value : points) value = std::normal_distribution<double>()(random);
  HalfspaceReporter<double> reporter(d);
  std::vector<int32_t> ids(n);
  reporter.insert({points.data(), n, d}, n, ids.data());
  const std::vector<int64_t> all(ids.begin(), ids.end());
  std::shuffle(ids.begin(), ids.end(), random);
  std::vector<double> moved(n * d);
  for (int64_t i = 0; i < n; ++i) std::copy_n(points.data() + ids[i] * d, d, moved.data() + i * d);
  reporter.move(all.data(), {moved.data(), n, d});
  const int64_t placed = reporter.work().placed;
  const auto ask = [&] {
    for (int round = 0; round < 40; ++round) {
      std::mt19937 own(round);
      const Matrix<double> normals = random_matrix<double>(8, d, own);
      reporter.count(normals.view(), std::vector<double>(8, 0.0).data());
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(ask);
  for (std::thread& thread : threads) thread.join();
  check(reporter.work().placed > placed, "it was built anew");
  check(reporter.consistent(), "the tree is sound");
}

// What a call does that gets no memory at its first allocation, its second and so on: the reporter is as it
// was, or says from then on that it is not; and nobody is left with the lock.
void check_no_memory() {
  where = "a reporter without memory";
  constexpr int64_t d = 2, n = 2000, n_more = 1000;
  std::mt19937 random(7);
  std::vector<double> points(n * d);
  for (double& value : points) value = std::normal_distribution<double>()(random);
  std::vector<int32_t> ids(n);
  std::vector<int64_t> some(n_more);
  std::iota(some.begin(), some.end(), 0);
  const Matrix<double> normals = random_matrix<double>(8, d, random);
  const std::vector<double> offsets(8, 0.0);
  using Reporter = HalfspaceReporter<double>;
  const std::function<void(Reporter&)> calls[] = {
      [&](Reporter& reporter) { reporter.insert({points.data(), n_more, d}, 1 << 20, ids.data()); },
      [&](Reporter& reporter) { reporter.move(some.data(), {points.data() + d, n_more, d}); },
      [&](Reporter& reporter) { reporter.remove(some.data(), n_more); },
      [&](Reporter& reporter) { reporter.report(normals.view(), offsets.data(), nullptr); },
  };
  int whole = 0, broken = 0;
  for (const auto& call : calls) {
    for (int64_t allocations = 0;; ++allocations) {
      Reporter reporter(d);
      reporter.insert({points.data(), n, d}, n, ids.data());
      const std::vector<double> before = reporter.snapshot().points;
      bool failed = false;
      allocations_left = allocations;
      try {
        call(reporter);
      } catch (const std::bad_alloc&) {
        failed = true;
      }
      allocations_left = -1;
      if (!failed) break;
      try {
        check(reporter.snapshot().points == before && reporter.consistent(), "a call that failed");
        ++whole;
      } catch (const std::runtime_error&) {
        ++broken;
      }
    }
  }
  check(whole > 0 && broken > 0, "calls that failed before a change and in its midst");
}

}  // namespace

void check_halfspaces() {
  check_halfspaces<float>("float");
  check_halfspaces<double>("double");
  check_threads<float>("float");
  check_threads<double>("double");
  check_repair();
  check_no_memory();
}

}  // namespace fewfire::selftest
