#include "core/pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace fewfire {

void give_back([[maybe_unused]] uint8_t* bytes, [[maybe_unused]] int64_t count) {
#if defined(__linux__)
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(bytes);
  const uintptr_t first = (begin + page - 1) / page * page, end = (begin + count) / page * page;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
#endif
}

}  // namespace fewfire
