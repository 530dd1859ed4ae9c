// A check of the core without Python, to be run under sanitizers: every instruction set, both precisions,
// one thread and three, odd shapes.
//
// Prints how many checks passed and a checksum of weights; exits with 1 at the first that does not.
#include <cstdio>
#include <cstdlib>

#include "kernels/instruction_set.h"
#include "selftest/checks.h"

namespace fewfire::selftest {

int64_t passed = 0;
uint64_t checksum = 0xcbf29ce484222325;
std::string where;

std::vector<std::string> sets_to_check() {
#ifdef __SANITIZE_THREAD__
  return {instruction_set()};
#else
  return available_instruction_sets();
#endif
}

void check(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "selftest: failed: %s (%s)\n", what, where.c_str());
    std::exit(1);
  }
  ++passed;
}

}  // namespace fewfire::selftest

int main() {
  using namespace fewfire::selftest;
  check_pool();
  check_fire_lists();
  check_code_table();
  check_hashing();
  check_structures();
  check_halfspaces();
  check_all_ways();
  check_deep();
  std::printf("selftest: %lld checks passed, weights %016llx\n", static_cast<long long>(passed),
              static_cast<unsigned long long>(checksum));
  return 0;
}
