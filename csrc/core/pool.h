// One pool of threads for all kernels. Tasks are handed out one by one; which thread runs a task never
// changes its result. Safe after fork: a child starts threads of its own.
#pragma once

#include <cstdint>
#include <functional>

namespace fewfire {

int threads();
void set_threads(int count);

// Runs task(i) for i = 0 .. count - 1; the caller takes part. Rethrows the first exception. Calls from
// other threads meanwhile are served without the pool. A task must not call parallel_for.
void parallel_for(int64_t count, const std::function<void(int64_t)>& task);

}  // namespace fewfire
