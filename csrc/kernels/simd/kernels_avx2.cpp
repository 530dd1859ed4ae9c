// The leaf kernels for avx2 with fused multiply-add.
#include <immintrin.h>

#include "kernels/kernels.h"

namespace fewfire::isa_avx2 {

#include "kernels/simd/vec_avx2.h"

#include "kernels/simd/body.h"

extern const Kernels<float> kernels_float;
extern const Kernels<double> kernels_double;
const Kernels<float> kernels_float = table<float>();
const Kernels<double> kernels_double = table<double>();

}  // namespace fewfire::isa_avx2
