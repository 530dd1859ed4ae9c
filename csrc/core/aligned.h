// Work arrays on a multiple of 64 bytes: a load of a vector never crosses a cache line.
#pragma once

#include <cstdint>
#include <vector>

namespace fewfire {

// Kept between uses, and never shrunk.
template <class T>
class AlignedRoom {
 public:
  T* of(int64_t count) {
    constexpr size_t line = 64 / sizeof(T);
    if (numbers_.size() < count + line) numbers_.resize(count + line);
    const auto start = reinterpret_cast<uintptr_t>(numbers_.data());
    return numbers_.data() + (64 - start % 64) % 64 / sizeof(T);
  }

 private:
  std::vector<T> numbers_;
};

}  // namespace fewfire
