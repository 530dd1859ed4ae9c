// The leaf kernels for 64-bit Arm, whose baseline has NEON and fused multiply-add.
#include <arm_neon.h>

#include "kernels/kernels.h"

namespace fewfire::isa_neon {

#include "kernels/simd/vec_neon.h"

#include "kernels/simd/body.h"

extern const Kernels<float> kernels_float;
extern const Kernels<double> kernels_double;
const Kernels<float> kernels_float = table<float>();
const Kernels<double> kernels_double = table<double>();

}  // namespace fewfire::isa_neon
