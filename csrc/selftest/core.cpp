// The pool of threads.
#include <algorithm>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/pool.h"
#include "selftest/checks.h"

namespace fewfire::selftest {

void check_pool() {
  where = "pool";
  for (int count : {1, 2, 3, 5, 2}) {
    set_threads(count);
    std::vector<int> done(1000, 0);
    parallel_for(1000, [&](int64_t i) { ++done[i]; });
    check(std::all_of(done.begin(), done.end(), [](int times) { return times == 1; }), "each task runs once");

    bool caught = false;
    try {
      parallel_for(1000, [](int64_t i) {
        if (i == 500) throw std::runtime_error("on purpose");
      });
    } catch (const std::runtime_error&) {
      caught = true;
    }
    check(caught, "an exception of a task reaches the caller");
  }

  std::vector<std::vector<int>> done(4, std::vector<int>(1000, 0));
  std::vector<std::thread> callers;
  for (std::vector<int>& mine : done)
    callers.emplace_back([&mine] {
      for (int round = 0; round < 10; ++round) parallel_for(1000, [&mine](int64_t i) { ++mine[i]; });
    });
  for (std::thread& caller : callers) caller.join();
  for (const std::vector<int>& mine : done)
    check(std::all_of(mine.begin(), mine.end(), [](int times) { return times == 10; }),
          "callers at the same time do not disturb each other");
}

}  // namespace fewfire::selftest
