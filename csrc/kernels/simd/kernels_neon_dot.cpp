// The same for processors with dot products of bytes, from Armv8.2 on.
#include <arm_neon.h>

#include "kernels/kernels.h"

namespace fewfire::isa_neon_dot {

#include "kernels/simd/vec_neon.h"

#include "kernels/simd/body.h"

extern const Kernels<float> kernels_float;
extern const Kernels<double> kernels_double;
const Kernels<float> kernels_float = table<float>();
const Kernels<double> kernels_double = table<double>();

}  // namespace fewfire::isa_neon_dot
