#include "core/pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace fewfire {
namespace {

struct Job {
  Job(const std::function<void(int64_t)>& task, int64_t count) : task(&task), count(count) {}

  const std::function<void(int64_t)>* task;
  const int64_t count;
  std::atomic<int64_t> next{0};
  std::mutex failure_mutex;
  std::exception_ptr failure;

  void work() {
    try {
      for (int64_t i; (i = next.fetch_add(1)) < count;) (*task)(i);
    } catch (...) {
      next = count;
      std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
  }
};

class Pool {
 public:
  explicit Pool(int helpers) {
    try {
      for (int i = 0; i < helpers; ++i) helpers_.emplace_back([this] { help(); });
    } catch (...) {  // the system gives no more threads: end those that run, and say so
      stop();
      throw;
    }
  }

  ~Pool() { stop(); }

  void run(Job& job) {
    {
      std::lock_guard lock(mutex_);
      job_ = &job;
      ++round_;
      busy_ = static_cast<int>(helpers_.size());
    }
    wake_.notify_all();
    job.work();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return busy_ == 0; });
  }

  int helpers() const { return static_cast<int>(helpers_.size()); }

 private:
  void stop() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& helper : helpers_) helper.join();
  }

  void help() {
    uint64_t seen = 0;
    for (;;) {
      Job* job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stop_ || round_ != seen; });
        if (stop_) return;
        seen = round_;
        job = job_;
      }
      job->work();
      std::lock_guard lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  Job* job_ = nullptr;
  uint64_t round_ = 0;
  int busy_ = 0;
  bool stop_ = false;
  std::vector<std::thread> helpers_;
};

std::atomic<int> wanted{std::max(1, static_cast<int>(std::thread::hardware_concurrency()))};
std::mutex* in_use = new std::mutex;
Pool* pool = nullptr;  // made at the first parallel call; never destroyed at exit

// The helpers do not exist in a forked child, and locks may be held by threads that are gone: leave the
// old pool and lock behind and start anew.
void forget_pool_after_fork() {
  in_use = new std::mutex;
  pool = nullptr;
}

}  // namespace

int threads() { return wanted; }
void set_threads(int count) { wanted = count; }

void parallel_for(int64_t count, const std::function<void(int64_t)>& task) {
  static const int registered = pthread_atfork(nullptr, nullptr, forget_pool_after_fork);
  (void)registered;
  Job job(task, count);
  const int helpers = threads() - 1;
  std::unique_lock lock(*in_use, std::try_to_lock);
  if (helpers == 0 || count <= 1 || !lock.owns_lock()) {
    job.work();
  } else {
    if (!pool || pool->helpers() != helpers) {
      delete pool;
      pool = nullptr;
      pool = new Pool(helpers);
    }
    pool->run(job);
  }
  if (job.failure) std::rethrow_exception(job.failure);
}

}  // namespace fewfire
