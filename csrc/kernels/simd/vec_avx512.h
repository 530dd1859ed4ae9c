// Vec<T>: 64 bytes of lanes in one AVX-512 register.

template <class T>
struct Vec;

template <>
struct Vec<float> {
  static constexpr int lanes = 16;
  __m512 v;
  static Vec zero() { return {_mm512_setzero_ps()}; }
  static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static Vec gather(const float* p, const int32_t* ids) {
    return {_mm512_i32gather_ps(_mm512_loadu_si512(ids), p, 4)};
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  Vec operator+(Vec o) const { return {_mm512_add_ps(v, o.v)}; }
  Vec operator-(Vec o) const { return {_mm512_sub_ps(v, o.v)}; }
  Vec operator*(Vec o) const { return {_mm512_mul_ps(v, o.v)}; }
  static Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  static Vec positive(Vec a) { return {_mm512_max_ps(a.v, _mm512_setzero_ps())}; }  // 0 for NaN
  static uint64_t not_le(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_NLE_UQ); }

  __m128 quarter() const {
    __m256 lo = _mm512_castps512_ps256(v);
    __m256 hi = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
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
  __m512d v;
  static Vec zero() { return {_mm512_setzero_pd()}; }
  static Vec load(const double* p) { return {_mm512_loadu_pd(p)}; }
  static Vec broadcast(double x) { return {_mm512_set1_pd(x)}; }
  static Vec gather(const double* p, const int32_t* ids) {
    return {_mm512_i32gather_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(ids)), p, 8)};
  }
  void store(double* p) const { _mm512_storeu_pd(p, v); }
  Vec operator+(Vec o) const { return {_mm512_add_pd(v, o.v)}; }
  Vec operator-(Vec o) const { return {_mm512_sub_pd(v, o.v)}; }
  Vec operator*(Vec o) const { return {_mm512_mul_pd(v, o.v)}; }
  static Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  static Vec positive(Vec a) { return {_mm512_max_pd(a.v, _mm512_setzero_pd())}; }
  static uint64_t not_le(Vec a, Vec b) { return _mm512_cmp_pd_mask(a.v, b.v, _CMP_NLE_UQ); }

  __m128d quarter() const {
    __m256d half = _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1));
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
inline void transpose_tile(const float* const* rows, int64_t f, float* out) {
  __m512 r[16], t[16];
  for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_ps(rows[i] + f);
  for (int i = 0; i < 16; i += 2) {  // pairs of rows, then fours, in each quarter of a register
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    for (int h = 0; h < 2; ++h) {
      const __m512d low = _mm512_castps_pd(t[i + h]), high = _mm512_castps_pd(t[i + h + 2]);
      r[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      r[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
  for (int i = 0; i < 16; i += 8) {  // then the quarters themselves
    for (int c = 0; c < 4; ++c) {
      t[i + c] = _mm512_shuffle_f32x4(r[i + c], r[i + c + 4], 0x88);
      t[i + c + 4] = _mm512_shuffle_f32x4(r[i + c], r[i + c + 4], 0xDD);
    }
  }
  for (int c = 0; c < 8; ++c) {
    _mm512_storeu_ps(out + c * kBlock, _mm512_shuffle_f32x4(t[c], t[c + 8], 0x88));
    _mm512_storeu_ps(out + (c + 8) * kBlock, _mm512_shuffle_f32x4(t[c], t[c + 8], 0xDD));
  }
}
inline void transpose_tile(const double* const* rows, int64_t f, double* out) {
  __m512d r[8], t[8];
  for (int i = 0; i < 8; ++i) r[i] = _mm512_loadu_pd(rows[i] + f);
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_pd(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_pd(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int c = 0; c < 2; ++c) {
      r[i + c] = _mm512_shuffle_f64x2(t[i + c], t[i + c + 2], 0x88);
      r[i + c + 2] = _mm512_shuffle_f64x2(t[i + c], t[i + c + 2], 0xDD);
    }
  }
  for (int c = 0; c < 4; ++c) {
    _mm512_storeu_pd(out + c * kBlock, _mm512_shuffle_f64x2(r[c], r[c + 4], 0x88));
    _mm512_storeu_pd(out + (c + 4) * kBlock, _mm512_shuffle_f64x2(r[c], r[c + 4], 0xDD));
  }
}

// The 32 codes at p as numbers, those of the first 16 features and of the next (codes.h).
inline void load_codes(const int16_t* p, Vec<float>& low, Vec<float>& high) {
  const __m512i pairs = _mm512_loadu_si512(p);
  low.v = _mm512_cvtepi32_ps(_mm512_slli_epi32(pairs, 16));
  high.v = _mm512_cvtepi32_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(-65536)));
}

// As many bytes as there are lanes, as numbers, times unit.
inline Vec<float> load_bytes(const uint8_t* p, Vec<float> unit) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return Vec<float>{_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))} * unit;
}
inline Vec<double> load_bytes(const uint8_t* p, Vec<double> unit) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return Vec<double>{_mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(bytes))} * unit;
}

// As many words as there are lanes, as numbers, times unit.
inline Vec<float> load_words(const int16_t* p, Vec<float> unit) {
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return Vec<float>{_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(words))} * unit;
}
inline Vec<double> load_words(const int16_t* p, Vec<double> unit) {
  const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return Vec<double>{_mm512_cvtepi32_pd(_mm256_cvtepi16_epi32(words))} * unit;
}

// first + the place of each bit that is set, ascending; returns how many. Without branches: they could not be
// foreseen.
inline int64_t bits_of(uint64_t bits, int32_t first, int32_t* ids) {
  const __m512i sixteen = _mm512_set1_epi32(16);
  __m512i places = _mm512_add_epi32(_mm512_set1_epi32(first),
                                    _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  int64_t count = 0;
  for (int quarter = 0; quarter < 64; quarter += 16) {
    const auto mask = static_cast<__mmask16>(bits >> quarter);
    _mm512_storeu_si512(ids + count, _mm512_maskz_compress_epi32(mask, places));
    count += __builtin_popcount(mask);
    places = _mm512_add_epi32(places, sixteen);
  }
  return count;
}

// Those of 16 ids whose bit is set, in their order; returns how many. 16 may be overwritten.
inline int64_t masked(const int32_t* ids, uint16_t bits, int32_t* out) {
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(bits, _mm512_loadu_si512(ids)));
  return __builtin_popcount(bits);
}

// 64 codes of the drift index.
struct Line {
  __m512i v;
  static Line load(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
  static Line load_packed(const uint8_t* p) {
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(pairs), _mm256_srli_epi16(pairs, 4), 1);
    return {_mm512_and_si512(both, _mm512_set1_epi8(15))};
  }
  void store(uint8_t* p) const { _mm512_storeu_si512(p, v); }
  static uint64_t le(Line a, Line b) { return _mm512_cmple_epu8_mask(a.v, b.v); }
};

// Whole numbers: 16 lanes of four bytes, and 16 sums of their products with four other bytes.
constexpr int64_t kByteLevels = 127;
struct UnsignedBytes {
  static constexpr int64_t count = 4;
  __m512i v;
  static UnsignedBytes broadcast(const uint8_t* four) {
    int32_t bits;
    __builtin_memcpy(&bits, four, 4);
    return {_mm512_set1_epi32(bits)};
  }
};
struct SignedBytes {
  __m512i v;
  static SignedBytes load(const int8_t* p) { return {_mm512_loadu_si512(p)}; }
};
// 16 lanes of two words.
struct WordPairs {
  __m512i v;
  static WordPairs load(const int16_t* p) { return {_mm512_loadu_si512(p)}; }
  static WordPairs broadcast(const int16_t* two) {
    int32_t bits;
    __builtin_memcpy(&bits, two, 4);
    return {_mm512_set1_epi32(bits)};
  }
};
struct Sums {
  __v16si v;  // as an __m512i GCC would keep it in memory
  static Sums zero() { return {reinterpret_cast<__v16si>(_mm512_setzero_si512())}; }
  void store(int32_t* p) const { _mm512_storeu_si512(p, reinterpret_cast<__m512i>(v)); }
  void add_products(WordPairs a, WordPairs b) {
#ifdef __AVX512VNNI__
    v = reinterpret_cast<__v16si>(_mm512_dpwssd_epi32(reinterpret_cast<__m512i>(v), a.v, b.v));
#else
    v += reinterpret_cast<__v16si>(_mm512_madd_epi16(a.v, b.v));
#endif
  }
  static Sums load(const int32_t* p) { return {reinterpret_cast<__v16si>(_mm512_loadu_si512(p))}; }
  Vec<float> floats() const { return {_mm512_cvtepi32_ps(reinterpret_cast<__m512i>(v))}; }
  void add_products(UnsignedBytes a, SignedBytes b) {
#ifdef __AVX512VNNI__
    v = reinterpret_cast<__v16si>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(v), a.v, b.v));
#else
    const __m512i even = _mm512_set1_epi16(0xFF);
    const __m512i a_even = _mm512_and_si512(a.v, even), a_odd = _mm512_srli_epi16(a.v, 8);
    const __m512i b_even = _mm512_srai_epi16(_mm512_slli_epi16(b.v, 8), 8), b_odd = _mm512_srai_epi16(b.v, 8);
    v += reinterpret_cast<__v16si>(_mm512_madd_epi16(a_even, b_even));
    v += reinterpret_cast<__v16si>(_mm512_madd_epi16(a_odd, b_odd));
#endif
  }
};

constexpr int kTileVecs = 4, kBoundSamples = 6;  // 4 x 6 accumulators of 32 registers
