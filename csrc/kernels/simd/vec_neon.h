// Vec<T>: 64 bytes of lanes in four NEON registers.

template <class T>
struct Vec;

template <>
struct Vec<float> {
  static constexpr int lanes = 16;
  float32x4_t v[4];

  template <class F>
  static Vec each(F f) {
    return {{f(0), f(1), f(2), f(3)}};
  }
  static Vec zero() { return broadcast(0); }
  static Vec load(const float* p) {
    return each([=](int q) { return vld1q_f32(p + 4 * q); });
  }
  static Vec broadcast(float x) {
    return each([=](int) { return vdupq_n_f32(x); });
  }
  static Vec gather(const float* p, const int32_t* ids) {
    return each([=](int q) {
      const int32_t* i = ids + 4 * q;
      return float32x4_t{p[i[0]], p[i[1]], p[i[2]], p[i[3]]};
    });
  }
  void store(float* p) const {
    for (int q = 0; q < 4; ++q) vst1q_f32(p + 4 * q, v[q]);
  }
  Vec operator+(const Vec& o) const {
    return each([&](int q) { return vaddq_f32(v[q], o.v[q]); });
  }
  Vec operator-(const Vec& o) const {
    return each([&](int q) { return vsubq_f32(v[q], o.v[q]); });
  }
  Vec operator*(const Vec& o) const {
    return each([&](int q) { return vmulq_f32(v[q], o.v[q]); });
  }
  static Vec fma(const Vec& a, const Vec& b, const Vec& c) {
    return each([&](int q) { return vfmaq_f32(c.v[q], a.v[q], b.v[q]); });
  }
  static Vec positive(const Vec& a) {  // 0 for NaN
    return each([&](int q) {
      return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a.v[q]), vcgtzq_f32(a.v[q])));
    });
  }
  static uint64_t not_le(const Vec& a, const Vec& b) {
    static constexpr uint32_t places[4] = {1, 2, 4, 8};
    const uint32x4_t place = vld1q_u32(places);
    uint64_t bits = 0;
    for (int q = 0; q < 4; ++q)
      bits |= uint64_t{vaddvq_u32(vbicq_u32(place, vcleq_f32(a.v[q], b.v[q])))} << 4 * q;
    return bits;
  }
  static void sum4(const Vec* a, float* out) {
    for (int i = 0; i < 4; ++i) {
      const float32x4_t quarter = vaddq_f32(vaddq_f32(a[i].v[0], a[i].v[2]), vaddq_f32(a[i].v[1], a[i].v[3]));
      const float32x2_t pair = vadd_f32(vget_low_f32(quarter), vget_high_f32(quarter));
      out[i] = vget_lane_f32(pair, 0) + vget_lane_f32(pair, 1);
    }
  }
};

template <>
struct Vec<double> {
  static constexpr int lanes = 8;
  float64x2_t v[4];

  template <class F>
  static Vec each(F f) {
    return {{f(0), f(1), f(2), f(3)}};
  }
  static Vec zero() { return broadcast(0); }
  static Vec load(const double* p) {
    return each([=](int q) { return vld1q_f64(p + 2 * q); });
  }
  static Vec broadcast(double x) {
    return each([=](int) { return vdupq_n_f64(x); });
  }
  static Vec gather(const double* p, const int32_t* ids) {
    return each([=](int q) { return float64x2_t{p[ids[2 * q]], p[ids[2 * q + 1]]}; });
  }
  void store(double* p) const {
    for (int q = 0; q < 4; ++q) vst1q_f64(p + 2 * q, v[q]);
  }
  Vec operator+(const Vec& o) const {
    return each([&](int q) { return vaddq_f64(v[q], o.v[q]); });
  }
  Vec operator-(const Vec& o) const {
    return each([&](int q) { return vsubq_f64(v[q], o.v[q]); });
  }
  Vec operator*(const Vec& o) const {
    return each([&](int q) { return vmulq_f64(v[q], o.v[q]); });
  }
  static Vec fma(const Vec& a, const Vec& b, const Vec& c) {
    return each([&](int q) { return vfmaq_f64(c.v[q], a.v[q], b.v[q]); });
  }
  static Vec positive(const Vec& a) {
    return each([&](int q) {
      return vreinterpretq_f64_u64(vandq_u64(vreinterpretq_u64_f64(a.v[q]), vcgtzq_f64(a.v[q])));
    });
  }
  static uint64_t not_le(const Vec& a, const Vec& b) {
    static constexpr uint64_t places[2] = {1, 2};
    const uint64x2_t place = vld1q_u64(places);
    uint64_t bits = 0;
    for (int q = 0; q < 4; ++q) bits |= vaddvq_u64(vbicq_u64(place, vcleq_f64(a.v[q], b.v[q]))) << 2 * q;
    return bits;
  }
  static void sum4(const Vec* a, double* out) {
    for (int i = 0; i < 4; ++i) {
      const float64x2_t pair = vaddq_f64(vaddq_f64(a[i].v[0], a[i].v[2]), vaddq_f64(a[i].v[1], a[i].v[3]));
      out[i] = vgetq_lane_f64(pair, 0) + vgetq_lane_f64(pair, 1);
    }
  }
};

// One rounding, as in the lanes.
inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }

// out[c * 64 + l] = rows[l][f + c], for as many l and c as there are lanes.
inline void transpose_tile(const float* const* rows, int64_t f, float* out) {
  for (int lane = 0; lane < 16; lane += 4) {
    for (int c = 0; c < 16; c += 4) {
      float32x4_t r[4];
      for (int i = 0; i < 4; ++i) r[i] = vld1q_f32(rows[lane + i] + f + c);
      float64x2_t t[4];  // pairs of rows
      for (int i = 0; i < 4; i += 2) {
        t[i] = vreinterpretq_f64_f32(vtrn1q_f32(r[i], r[i + 1]));
        t[i + 1] = vreinterpretq_f64_f32(vtrn2q_f32(r[i], r[i + 1]));
      }
      for (int i = 0; i < 2; ++i) {
        float* to = out + (c + i) * kBlock + lane;
        vst1q_f32(to, vreinterpretq_f32_f64(vtrn1q_f64(t[i], t[i + 2])));
        vst1q_f32(to + 2 * kBlock, vreinterpretq_f32_f64(vtrn2q_f64(t[i], t[i + 2])));
      }
    }
  }
}
inline void transpose_tile(const double* const* rows, int64_t f, double* out) {
  for (int lane = 0; lane < 8; lane += 2) {
    for (int c = 0; c < 8; c += 2) {
      const float64x2_t a = vld1q_f64(rows[lane] + f + c), b = vld1q_f64(rows[lane + 1] + f + c);
      vst1q_f64(out + c * kBlock + lane, vtrn1q_f64(a, b));
      vst1q_f64(out + (c + 1) * kBlock + lane, vtrn2q_f64(a, b));
    }
  }
}

// The 32 codes at p as numbers, those of the first 16 features and of the next (codes.h).
inline void load_codes(const int16_t* p, Vec<float>& low, Vec<float>& high) {
  for (int q = 0; q < 4; ++q) {
    const int32x4_t both = vreinterpretq_s32_s16(vld1q_s16(p + 8 * q));
    low.v[q] = vcvtq_f32_s32(vshlq_n_s32(both, 16));
    high.v[q] = vcvtq_f32_s32(vandq_s32(both, vdupq_n_s32(-65536)));
  }
}

// As many bytes as there are lanes, as numbers, times unit.
inline Vec<float> load_bytes(const uint8_t* p, const Vec<float>& unit) {
  const uint8x16_t bytes = vld1q_u8(p);
  const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_high_u8(bytes);
  return Vec<float>{{vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))), vcvtq_f32_u32(vmovl_high_u16(low)),
                     vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))), vcvtq_f32_u32(vmovl_high_u16(high))}} *
         unit;
}
inline Vec<double> load_bytes(const uint8_t* p, const Vec<double>& unit) {
  const uint16x8_t words = vmovl_u8(vld1_u8(p));
  const uint32x4_t low = vmovl_u16(vget_low_u16(words)), high = vmovl_high_u16(words);
  return Vec<double>{{vcvtq_f64_u64(vmovl_u32(vget_low_u32(low))), vcvtq_f64_u64(vmovl_high_u32(low)),
                      vcvtq_f64_u64(vmovl_u32(vget_low_u32(high))), vcvtq_f64_u64(vmovl_high_u32(high))}} *
         unit;
}

// As many words as there are lanes, as numbers, times unit.
inline Vec<float> load_words(const int16_t* p, const Vec<float>& unit) {
  const int16x8_t low = vld1q_s16(p), high = vld1q_s16(p + 8);
  return Vec<float>{{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
                     vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))}} *
         unit;
}
inline Vec<double> load_words(const int16_t* p, const Vec<double>& unit) {
  const int16x8_t words = vld1q_s16(p);
  const int32x4_t low = vmovl_s16(vget_low_s16(words)), high = vmovl_high_s16(words);
  return Vec<double>{{vcvtq_f64_s64(vmovl_s32(vget_low_s32(low))), vcvtq_f64_s64(vmovl_high_s32(low)),
                      vcvtq_f64_s64(vmovl_s32(vget_low_s32(high))), vcvtq_f64_s64(vmovl_high_s32(high))}} *
         unit;
}

#include "kernels/simd/bit_lists.h"

// 64 codes of the drift index.
struct Line {
  uint8x16_t v[4];
  static Line load(const uint8_t* p) {
    return {{vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)}};
  }
  static Line load_packed(const uint8_t* p) {
    const uint8x16_t first = vld1q_u8(p), second = vld1q_u8(p + 16), lower = vdupq_n_u8(15);
    return {{vandq_u8(first, lower), vandq_u8(second, lower), vshrq_n_u8(first, 4), vshrq_n_u8(second, 4)}};
  }
  void store(uint8_t* p) const {
    for (int q = 0; q < 4; ++q) vst1q_u8(p + 16 * q, v[q]);
  }
  static uint64_t le(const Line& a, const Line& b) {
    static constexpr uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t place = vld1q_u8(places);
    const auto bits = [&](int q) { return vandq_u8(place, vcleq_u8(a.v[q], b.v[q])); };
    // Sums of neighbours, three times: eight bits become a byte.
    const uint8x16_t pairs = vpaddq_u8(vpaddq_u8(bits(0), bits(1)), vpaddq_u8(bits(2), bits(3)));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)), 0);
  }
};

constexpr int64_t kByteLevels = 127;
#if defined(__ARM_FEATURE_DOTPROD)
// Whole numbers: 16 lanes of four bytes, and 16 sums of their products with four other bytes. The instruction
// takes signed bytes: u = (u - 128) + 64 + 64.
struct UnsignedBytes {
  static constexpr int64_t count = 4;
  int8x16_t less_128;
  static UnsignedBytes broadcast(const uint8_t* four) {
    uint32_t bits;
    __builtin_memcpy(&bits, four, 4);
    return {vreinterpretq_s8_u32(vdupq_n_u32(bits ^ 0x80808080u))};
  }
};
struct SignedBytes {
  int8x16_t v[4];
  int32x4_t times_128[4];
  static SignedBytes load(const int8_t* p) {
    const int8x16_t half = vdupq_n_s8(64);
    SignedBytes out;
    for (int q = 0; q < 4; ++q) {
      out.v[q] = vld1q_s8(p + 16 * q);
      out.times_128[q] = vdotq_s32(vdotq_s32(vdupq_n_s32(0), out.v[q], half), out.v[q], half);
    }
    return out;
  }
};
#else
// Whole numbers: 16 lanes of four bytes, and 16 sums of their products with four other bytes, multiplied as
// words of 16 bits.
struct UnsignedBytes {
  static constexpr int64_t count = 4;
  int16x8_t twice;  // the four, two times
  static UnsignedBytes broadcast(const uint8_t* four) {
    uint32_t bits;
    __builtin_memcpy(&bits, four, 4);
    return {vreinterpretq_s16_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bits))))};
  }
};
struct SignedBytes {
  int8x16_t v[4];
  static SignedBytes load(const int8_t* p) {
    return {{vld1q_s8(p), vld1q_s8(p + 16), vld1q_s8(p + 32), vld1q_s8(p + 48)}};
  }
};
#endif

// 16 lanes of two words, the first and the second ones apart.
struct WordPairs {
  int16x8_t first[2], second[2];
  static WordPairs load(const int16_t* p) {
    const int16x8x2_t low = vld2q_s16(p), high = vld2q_s16(p + 16);
    return {{low.val[0], high.val[0]}, {low.val[1], high.val[1]}};
  }
  static WordPairs broadcast(const int16_t* two) {
    const int16x8_t first = vdupq_n_s16(two[0]), second = vdupq_n_s16(two[1]);
    return {{first, first}, {second, second}};
  }
};
struct Sums {
  int32x4_t v[4];
  static Sums zero() {
    const int32x4_t none = vdupq_n_s32(0);
    return {{none, none, none, none}};
  }
  static Sums load(const int32_t* p) {
    return {{vld1q_s32(p), vld1q_s32(p + 4), vld1q_s32(p + 8), vld1q_s32(p + 12)}};
  }
  void store(int32_t* p) const {
    for (int q = 0; q < 4; ++q) vst1q_s32(p + 4 * q, v[q]);
  }
  Vec<float> floats() const {
    return Vec<float>::each([&](int q) { return vcvtq_f32_s32(v[q]); });
  }
  void add_products(const WordPairs& a, const WordPairs& b) {
    for (int h = 0; h < 2; ++h) {
      int32x4_t &low = v[2 * h], &high = v[2 * h + 1];
      low = vmlal_s16(low, vget_low_s16(a.first[h]), vget_low_s16(b.first[h]));
      low = vmlal_s16(low, vget_low_s16(a.second[h]), vget_low_s16(b.second[h]));
      high = vmlal_high_s16(high, a.first[h], b.first[h]);
      high = vmlal_high_s16(high, a.second[h], b.second[h]);
    }
  }
  void add_products(const UnsignedBytes& a, const SignedBytes& b) {
    for (int q = 0; q < 4; ++q) {
#if defined(__ARM_FEATURE_DOTPROD)
      v[q] = vdotq_s32(vaddq_s32(v[q], b.times_128[q]), b.v[q], a.less_128);
#else
      const int16x8_t low = vmovl_s8(vget_low_s8(b.v[q])), high = vmovl_high_s8(b.v[q]);
      const int32x4_t first =
          vpaddq_s32(vmull_s16(vget_low_s16(low), vget_low_s16(a.twice)), vmull_high_s16(low, a.twice));
      const int32x4_t second =
          vpaddq_s32(vmull_s16(vget_low_s16(high), vget_low_s16(a.twice)), vmull_high_s16(high, a.twice));
      v[q] = vaddq_s32(v[q], vpaddq_s32(first, second));
#endif
    }
  }
};

constexpr int kTileVecs = 1, kBoundSamples = 6;  // 6 x 4 accumulators of 32 registers
