// The leaf kernels for avx512 with fused multiply-add.
#include <immintrin.h>

#include "kernels/kernels.h"

namespace fewfire::isa_avx512 {

#include "kernels/simd/vec_avx512.h"

#include "kernels/simd/body.h"

extern const Kernels<float> kernels_float;
extern const Kernels<double> kernels_double;
const Kernels<float> kernels_float = table<float>();
const Kernels<double> kernels_double = table<double>();

}  // namespace fewfire::isa_avx512
