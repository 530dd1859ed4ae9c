// A readers-writer lock, first come, first served: readers who stand next to each other are inside together,
// a writer is alone, and neither is starved. It is taken by std::shared_lock and std::unique_lock.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace fewfire {

class Turns {
 public:
  void lock_shared() {
    std::unique_lock lock(mutex_);
    const uint64_t mine = given_++;
    changed_.wait(lock, [&] { return turn_ == mine; });
    ++turn_;
    ++readers_;
    changed_.notify_all();
  }

  void unlock_shared() {
    std::lock_guard lock(mutex_);
    if (--readers_ == 0) changed_.notify_all();
  }

  void lock() {
    std::unique_lock lock(mutex_);
    const uint64_t mine = given_++;
    changed_.wait(lock, [&] { return turn_ == mine && readers_ == 0; });  // the turn ends with unlock()
  }

  void unlock() {
    std::lock_guard lock(mutex_);
    ++turn_;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t given_ = 0, turn_ = 0;
  int64_t readers_ = 0;
};

}  // namespace fewfire
