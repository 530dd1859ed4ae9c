// The leaf kernels for 64-bit Arm, whose baseline has NEON and fused multiply-add: the plain body,
// rounded once per multiply-add.
#define FEWFIRE_FUSED
#include "kernels/kernels.h"

namespace fewfire::isa_neon {

#include "kernels/simd/vec_plain.h"

#include "kernels/simd/body.h"

extern const Kernels<float> kernels_float;
extern const Kernels<double> kernels_double;
const Kernels<float> kernels_float = table<float>();
const Kernels<double> kernels_double = table<double>();

}  // namespace fewfire::isa_neon
