// The leaf kernels for the plain baseline, without fused multiply-add: a fallback with bits of its own.
#include "kernels/kernels.h"

namespace fewfire::isa_base {

#include "kernels/simd/vec_plain.h"

#include "kernels/simd/body.h"

extern const Kernels<float> kernels_float;
extern const Kernels<double> kernels_double;
const Kernels<float> kernels_float = table<float>();
const Kernels<double> kernels_double = table<double>();

}  // namespace fewfire::isa_base
