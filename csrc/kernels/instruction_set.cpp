#include "kernels/instruction_set.h"

#include <atomic>
#include <stdexcept>

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace fewfire {

#define FEWFIRE_DECLARE(set)                     \
  namespace isa_##set {                          \
    extern const Kernels<float> kernels_float;   \
    extern const Kernels<double> kernels_double; \
  }
FEWFIRE_DECLARE(base)
#if defined(__x86_64__)
FEWFIRE_DECLARE(avx2)
FEWFIRE_DECLARE(avx512)
FEWFIRE_DECLARE(avx512_vnni)
#elif defined(__aarch64__)
FEWFIRE_DECLARE(neon)
FEWFIRE_DECLARE(neon_dot)
#endif
#undef FEWFIRE_DECLARE

namespace {

struct Level {
  const char* name;
  bool available;
  const Kernels<float>* float_kernels;
  const Kernels<double>* double_kernels;
};

#if defined(__aarch64__)
// Whether the processor has dot products of bytes, as far as the system tells.
bool multiplies_bytes() {
#if defined(__linux__)
  return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
#elif defined(__APPLE__)
  return true;  // every processor of theirs with a 64-bit macOS
#else
  return false;
#endif
}
#endif

const std::vector<Level>& levels() {
  static const std::vector<Level> all = [] {
    std::vector<Level> out;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && __builtin_cpu_supports("avx512vnni"))  // the same bits: not a set of its own for the user
      out.push_back({"avx512", true, &isa_avx512_vnni::kernels_float, &isa_avx512_vnni::kernels_double});
    else
      out.push_back({"avx512", avx512, &isa_avx512::kernels_float, &isa_avx512::kernels_double});
    out.push_back({"avx2", avx2, &isa_avx2::kernels_float, &isa_avx2::kernels_double});
#elif defined(__aarch64__)
    if (multiplies_bytes())  // the same bits, as above
      out.push_back({"neon", true, &isa_neon_dot::kernels_float, &isa_neon_dot::kernels_double});
    else
      out.push_back({"neon", true, &isa_neon::kernels_float, &isa_neon::kernels_double});
#endif
    out.push_back({"base", true, &isa_base::kernels_float, &isa_base::kernels_double});
    return out;
  }();
  return all;
}

const Level* best() {
  for (const Level& level : levels())
    if (level.available) return &level;
  return &levels().back();
}

std::atomic<const Level*>& current() {
  static std::atomic<const Level*> level{best()};
  return level;
}

}  // namespace

std::vector<std::string> available_instruction_sets() {
  std::vector<std::string> names;
  for (const Level& level : levels())
    if (level.available) names.push_back(level.name);
  return names;
}

std::string instruction_set() { return current().load()->name; }

void use_instruction_set(const std::string& name) {
  std::string choices;
  for (const Level& level : levels()) {
    if (level.available && level.name == name) {
      current() = &level;
      return;
    }
    if (level.available) choices += (choices.empty() ? "" : ", ") + std::string(level.name);
  }
  throw std::invalid_argument("the instruction set must be one that this machine has (" + choices +
                              "). Got '" + name + "'. Choose one of those, or none for the best.");
}

template <>
const Kernels<float>& kernels<float>() {
  return *current().load()->float_kernels;
}
template <>
const Kernels<double>& kernels<double>() {
  return *current().load()->double_kernels;
}

}  // namespace fewfire
