// Vec<T>: 64 bytes of lanes in two AVX registers.

template <class T>
struct Vec;

template <>
struct Vec<float> {
  static constexpr int lanes = 16;
  __m256 lo, hi;
  static Vec zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Vec load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static Vec broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static Vec gather(const float* p, const int32_t* ids) {
    const auto eight = [p](const int32_t* i) {
      return _mm256_setr_ps(p[i[0]], p[i[1]], p[i[2]], p[i[3]], p[i[4]], p[i[5]], p[i[6]], p[i[7]]);
    };
    return {eight(ids), eight(ids + 8)};
  }
  void store(float* p) const {
    _mm256_storeu_ps(p, lo);
    _mm256_storeu_ps(p + 8, hi);
  }
  Vec operator+(Vec o) const { return {_mm256_add_ps(lo, o.lo), _mm256_add_ps(hi, o.hi)}; }
  Vec operator-(Vec o) const { return {_mm256_sub_ps(lo, o.lo), _mm256_sub_ps(hi, o.hi)}; }
  Vec operator*(Vec o) const { return {_mm256_mul_ps(lo, o.lo), _mm256_mul_ps(hi, o.hi)}; }
  static Vec fma(Vec a, Vec b, Vec c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  static Vec positive(Vec a) {  // 0 for NaN
    return {_mm256_max_ps(a.lo, _mm256_setzero_ps()), _mm256_max_ps(a.hi, _mm256_setzero_ps())};
  }
  static uint64_t not_le(Vec a, Vec b) {
    unsigned l = _mm256_movemask_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_NLE_UQ));
    unsigned h = _mm256_movemask_ps(_mm256_cmp_ps(a.hi, b.hi, _CMP_NLE_UQ));
    return l | h << 8;
  }

  __m128 quarter() const {
    __m256 half = _mm256_add_ps(lo, hi);
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  }
  static void sum4(const Vec* a, float* out) {
    __m128 q0 = a[0].quarter(), q1 = a[1].quarter(), q2 = a[2].quarter(), q3 = a[3].quarter();
    __m128 s01 = _mm_add_ps(_mm_movelh_ps(q0, q1), _mm_movehl_ps(q1, q0));
    __m128 s23 = _mm_add_ps(_mm_movelh_ps(q2, q3), _mm_movehl_ps(q3, q2));
    _mm_storeu_ps(out, _mm_add_ps(_mm_shuffle_ps(s01, s23, _MM_SHUFFLE(2, 0, 2, 0)),
                                  _mm_shuffle_ps(s01, s23, _MM_SHUFFLE(3, 1, 3, 1))));
  }
};

template <>
struct Vec<double> {
  static constexpr int lanes = 8;
  __m256d lo, hi;
  static Vec zero() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
  static Vec load(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
  static Vec broadcast(double x) { return {_mm256_set1_pd(x), _mm256_set1_pd(x)}; }
  static Vec gather(const double* p, const int32_t* ids) {
    return {_mm256_setr_pd(p[ids[0]], p[ids[1]], p[ids[2]], p[ids[3]]),
            _mm256_setr_pd(p[ids[4]], p[ids[5]], p[ids[6]], p[ids[7]])};
  }
  void store(double* p) const {
    _mm256_storeu_pd(p, lo);
    _mm256_storeu_pd(p + 4, hi);
  }
  Vec operator+(Vec o) const { return {_mm256_add_pd(lo, o.lo), _mm256_add_pd(hi, o.hi)}; }
  Vec operator-(Vec o) const { return {_mm256_sub_pd(lo, o.lo), _mm256_sub_pd(hi, o.hi)}; }
  Vec operator*(Vec o) const { return {_mm256_mul_pd(lo, o.lo), _mm256_mul_pd(hi, o.hi)}; }
  static Vec fma(Vec a, Vec b, Vec c) {
    return {_mm256_fmadd_pd(a.lo, b.lo, c.lo), _mm256_fmadd_pd(a.hi, b.hi, c.hi)};
  }
  static Vec positive(Vec a) {
    return {_mm256_max_pd(a.lo, _mm256_setzero_pd()), _mm256_max_pd(a.hi, _mm256_setzero_pd())};
  }
  static uint64_t not_le(Vec a, Vec b) {
    unsigned l = _mm256_movemask_pd(_mm256_cmp_pd(a.lo, b.lo, _CMP_NLE_UQ));
    unsigned h = _mm256_movemask_pd(_mm256_cmp_pd(a.hi, b.hi, _CMP_NLE_UQ));
    return l | h << 4;
  }

  __m128d quarter() const {
    __m256d half = _mm256_add_pd(lo, hi);
    return _mm_add_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
  }
  static void sum4(const Vec* a, double* out) {
    for (int i = 0; i < 4; i += 2) {
      __m128d p = a[i].quarter(), q = a[i + 1].quarter();
      _mm_storeu_pd(out + i, _mm_add_pd(_mm_unpacklo_pd(p, q), _mm_unpackhi_pd(p, q)));
    }
  }
};

// One rounding, as in the lanes.
inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }

// out[c * 64 + l] = rows[l][f + c], for as many l and c as there are lanes.
inline void transpose_eight(const float* const* rows, int64_t f, float* out) {
  __m256 r[8], t[8];
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(rows[i] + f);
  for (int i = 0; i < 8; i += 2) {  // pairs of rows, then fours, in each half of a register
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int h = 0; h < 2; ++h) {
      const __m256d low = _mm256_castps_pd(t[i + h]), high = _mm256_castps_pd(t[i + h + 2]);
      r[i + 2 * h] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
      r[i + 2 * h + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
    }
  }
  for (int c = 0; c < 4; ++c) {  // then the halves themselves
    _mm256_storeu_ps(out + c * kBlock, _mm256_permute2f128_ps(r[c], r[c + 4], 0x20));
    _mm256_storeu_ps(out + (c + 4) * kBlock, _mm256_permute2f128_ps(r[c], r[c + 4], 0x31));
  }
}
inline void transpose_tile(const float* const* rows, int64_t f, float* out) {
  for (int lane = 0; lane < 16; lane += 8)
    for (int c = 0; c < 16; c += 8) transpose_eight(rows + lane, f + c, out + c * kBlock + lane);
}
inline void transpose_four(const double* const* rows, int64_t f, double* out) {
  __m256d r[4], t[4];
  for (int i = 0; i < 4; ++i) r[i] = _mm256_loadu_pd(rows[i] + f);
  for (int i = 0; i < 4; i += 2) {
    t[i] = _mm256_unpacklo_pd(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_pd(r[i], r[i + 1]);
  }
  for (int c = 0; c < 2; ++c) {
    _mm256_storeu_pd(out + c * kBlock, _mm256_permute2f128_pd(t[c], t[c + 2], 0x20));
    _mm256_storeu_pd(out + (c + 2) * kBlock, _mm256_permute2f128_pd(t[c], t[c + 2], 0x31));
  }
}
inline void transpose_tile(const double* const* rows, int64_t f, double* out) {
  for (int lane = 0; lane < 8; lane += 4)
    for (int c = 0; c < 8; c += 4) transpose_four(rows + lane, f + c, out + c * kBlock + lane);
}

// The 32 codes at p as numbers, those of the first 16 features and of the next (codes.h).
inline void load_codes(const int16_t* p, Vec<float>& low, Vec<float>& high) {
  const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 16));
  const __m256i upper = _mm256_set1_epi32(-65536);
  low = {_mm256_cvtepi32_ps(_mm256_slli_epi32(first, 16)), _mm256_cvtepi32_ps(_mm256_slli_epi32(second, 16))};
  high = {_mm256_cvtepi32_ps(_mm256_and_si256(first, upper)),
          _mm256_cvtepi32_ps(_mm256_and_si256(second, upper))};
}

// As many bytes as there are lanes, as numbers, times unit.
inline Vec<float> load_bytes(const uint8_t* p, Vec<float> unit) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return Vec<float>{_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
                    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))} *
         unit;
}
inline Vec<double> load_bytes(const uint8_t* p, Vec<double> unit) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return Vec<double>{_mm256_cvtepi32_pd(_mm_cvtepu8_epi32(bytes)),
                     _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_srli_si128(bytes, 4)))} *
         unit;
}

// As many words as there are lanes, as numbers, times unit.
inline Vec<float> load_words(const int16_t* p, Vec<float> unit) {
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return Vec<float>{_mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm256_castsi256_si128(words))),
                    _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm256_extracti128_si256(words, 1)))} *
         unit;
}
inline Vec<double> load_words(const int16_t* p, Vec<double> unit) {
  const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return Vec<double>{_mm256_cvtepi32_pd(_mm_cvtepi16_epi32(words)),
                     _mm256_cvtepi32_pd(_mm_cvtepi16_epi32(_mm_srli_si128(words, 8)))} *
         unit;
}

#include "kernels/simd/bit_lists.h"

// 64 codes of the drift index.
struct Line {
  __m256i lo, hi;
  static __m256i load_half(const uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Line load(const uint8_t* p) { return {load_half(p), load_half(p + 32)}; }
  static Line load_packed(const uint8_t* p) {
    const __m256i pairs = load_half(p), lower = _mm256_set1_epi8(15);
    return {_mm256_and_si256(pairs, lower), _mm256_and_si256(_mm256_srli_epi16(pairs, 4), lower)};
  }
  void store(uint8_t* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), lo);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), hi);
  }
  static uint32_t le_half(__m256i a, __m256i b) {
    return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(a, b), a)));
  }
  static uint64_t le(const Line& a, const Line& b) {
    return le_half(a.lo, b.lo) | uint64_t{le_half(a.hi, b.hi)} << 32;
  }
};

// Whole numbers: 16 lanes of two fours of bytes, and 16 sums of their products with two other fours. The
// instruction adds up two products in 16 bits, and those of the second four are added to them there: four
// products are 4 * 127 * 63 at the most, which fits. In 32 bits from the first this took twice as long.
constexpr int64_t kByteLevels = 63;
struct UnsignedBytes {
  static constexpr int64_t count = 8;
  __m256i four[2];
  static __m256i broadcast_four(const uint8_t* p) {
    int32_t bits;
    __builtin_memcpy(&bits, p, 4);
    return _mm256_set1_epi32(bits);
  }
  static UnsignedBytes broadcast(const uint8_t* p) { return {{broadcast_four(p), broadcast_four(p + 4)}}; }
};
struct SignedBytes {
  __m256i four[2][2];  // in two halves of the lanes
  static __m256i load_half(const int8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static SignedBytes load(const int8_t* p) {
    const int8_t* const next = p + 4 * kBlock;
    return {{{load_half(p), load_half(p + 32)}, {load_half(next), load_half(next + 32)}}};
  }
};
// 16 lanes of two words.
struct WordPairs {
  __m256i v[2];
  static WordPairs load(const int16_t* p) {
    return {{_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
             _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 16))}};
  }
  static WordPairs broadcast(const int16_t* two) {
    int32_t bits;
    __builtin_memcpy(&bits, two, 4);
    return {{_mm256_set1_epi32(bits), _mm256_set1_epi32(bits)}};
  }
};
struct Sums {
  __v8si v[2];  // as __m256i GCC would keep them in memory
  static Sums zero() {
    const auto none = reinterpret_cast<__v8si>(_mm256_setzero_si256());
    return {{none, none}};
  }
  void store(int32_t* p) const {
    for (int half = 0; half < 2; ++half)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8 * half), reinterpret_cast<__m256i>(v[half]));
  }
  void add_products(const WordPairs& a, const WordPairs& b) {
    for (int half = 0; half < 2; ++half)
      v[half] += reinterpret_cast<__v8si>(_mm256_madd_epi16(a.v[half], b.v[half]));
  }
  static __v8si load_half(const int32_t* p) {
    return reinterpret_cast<__v8si>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Sums load(const int32_t* p) { return {{load_half(p), load_half(p + 8)}}; }
  Vec<float> floats() const {
    return {_mm256_cvtepi32_ps(reinterpret_cast<__m256i>(v[0])),
            _mm256_cvtepi32_ps(reinterpret_cast<__m256i>(v[1]))};
  }
  void add_products(const UnsignedBytes& a, const SignedBytes& b) {
    for (int half = 0; half < 2; ++half) {
      const __m256i words = _mm256_add_epi16(_mm256_maddubs_epi16(a.four[0], b.four[0][half]),
                                             _mm256_maddubs_epi16(a.four[1], b.four[1][half]));
      v[half] += reinterpret_cast<__v8si>(_mm256_madd_epi16(words, _mm256_set1_epi16(1)));
    }
  }
};

constexpr int kTileVecs = 1;      // 2 x 6 accumulators of 16 registers
constexpr int kBoundSamples = 4;  // 2 x 4 of them: two fours of bytes take 2 x 2 registers
