// The checks of the self-test, a file a room; a check that fails ends the program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fewfire::selftest {

extern int64_t passed;
extern std::string where;  // what is being checked, for the message
extern uint64_t checksum;  // of the weights that fused multiply-adds lead to: the same on every machine

// How many threads compute, in turn. One thread races with none: under the thread sanitizer three alone.
#ifdef __SANITIZE_THREAD__
constexpr int kThreadCounts[] = {3};
#else
constexpr int kThreadCounts[] = {1, 3};
#endif

// The instruction sets that compute, in turn. All share their work among threads alike: under the thread
// sanitizer the one in use alone.
std::vector<std::string> sets_to_check();

void check(bool holds, const char* what);

// Takes the bytes of some numbers into the checksum (FNV-1a).
template <class T>
void add_to_checksum(const std::vector<T>& numbers) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(numbers.data());
  for (size_t i = 0; i < numbers.size() * sizeof(T); ++i) checksum = (checksum ^ bytes[i]) * 0x100000001b3;
}

void check_pool();
void check_structures();
void check_halfspaces();
void check_fire_lists();
void check_code_table();
void check_hashing();
void check_all_ways();
void check_deep();

}  // namespace fewfire::selftest
