// The half-space tree.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/pool.h"
#include "halfspace/halfspace_tree.h"
#include "selftest/checks.h"
#include "selftest/numbers.h"

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

}  // namespace

void check_halfspaces() {
  check_halfspaces<float>("float");
  check_halfspaces<double>("double");
}

}  // namespace fewfire::selftest
