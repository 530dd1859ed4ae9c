// Vec<T>: 64 bytes of lanes in plain C++, for the compiler to vectorise. It rounds twice per multiply-add,
// where every other instruction set rounds once.
template <class T>
struct Vec {
  static constexpr int lanes = 64 / sizeof(T);
  T v[lanes];

  template <class F>
  static Vec each(F f) {
    Vec out;
    for (int l = 0; l < lanes; ++l) out.v[l] = f(l);
    return out;
  }
  static Vec zero() { return broadcast(0); }
  static Vec load(const T* p) {
    return each([=](int l) { return p[l]; });
  }
  static Vec broadcast(T x) {
    return each([=](int) { return x; });
  }
  static Vec gather(const T* p, const int32_t* ids) {
    return each([=](int l) { return p[ids[l]]; });
  }
  void store(T* p) const {
    for (int l = 0; l < lanes; ++l) p[l] = v[l];
  }
  Vec operator+(const Vec& o) const {
    return each([&](int l) { return v[l] + o.v[l]; });
  }
  Vec operator-(const Vec& o) const {
    return each([&](int l) { return v[l] - o.v[l]; });
  }
  Vec operator*(const Vec& o) const {
    return each([&](int l) { return v[l] * o.v[l]; });
  }
  static Vec fma(const Vec& a, const Vec& b, const Vec& c) {
    return each([&](int l) { return a.v[l] * b.v[l] + c.v[l]; });
  }
  static Vec positive(const Vec& a) {
    return each([&](int l) { return a.v[l] > 0 ? a.v[l] : 0; });
  }
  static uint64_t not_le(const Vec& a, const Vec& b) {
    uint64_t bits = 0;
    for (int l = 0; l < lanes; ++l) bits |= uint64_t{!(a.v[l] <= b.v[l])} << l;
    return bits;
  }
  static void sum4(const Vec* a, T* out) {
    for (int i = 0; i < 4; ++i) {
      Vec s = a[i];
      for (int half = lanes / 2; half > 0; half /= 2)
        for (int l = 0; l < half; ++l) s.v[l] += s.v[l + half];
      out[i] = s.v[0];
    }
  }
};

template <class T>
T fused(T a, T b, T c) {
  return a * b + c;
}

// out[c * 64 + l] = rows[l][f + c], for as many l and c as there are lanes.
template <class T>
void transpose_tile(const T* const* rows, int64_t f, T* out) {
  for (int c = 0; c < Vec<T>::lanes; ++c)
    for (int l = 0; l < Vec<T>::lanes; ++l) out[c * kBlock + l] = rows[l][f + c];
}

// The 32 codes at p as numbers, those of the first 16 features and of the next (codes.h).
inline void load_codes(const int16_t* p, Vec<float>& low, Vec<float>& high) {
  low = Vec<float>::each([=](int l) { return p[2 * l] * 65536.0f; });
  high = Vec<float>::each([=](int l) { return p[2 * l + 1] * 65536.0f; });
}

// As many bytes as there are lanes, as numbers, times unit.
template <class T>
Vec<T> load_bytes(const uint8_t* p, const Vec<T>& unit) {
  return Vec<T>::each([&](int l) { return p[l] * unit.v[l]; });
}

// As many words as there are lanes, as numbers, times unit.
template <class T>
Vec<T> load_words(const int16_t* p, const Vec<T>& unit) {
  return Vec<T>::each([&](int l) { return p[l] * unit.v[l]; });
}

#include "kernels/simd/bit_lists.h"

// 64 codes of the drift index.
struct Line {
  uint8_t v[64];
  static Line load(const uint8_t* p) {
    Line out;
    for (int l = 0; l < 64; ++l) out.v[l] = p[l];
    return out;
  }
  static Line load_packed(const uint8_t* p) {
    Line out;
    for (int l = 0; l < 32; ++l) {
      out.v[l] = p[l] & 15;
      out.v[32 + l] = p[l] >> 4;
    }
    return out;
  }
  void store(uint8_t* p) const {
    for (int l = 0; l < 64; ++l) p[l] = v[l];
  }
  static uint64_t le(const Line& a, const Line& b) {
    uint64_t mask = 0;
    for (int l = 0; l < 64; ++l) mask |= uint64_t{a.v[l] <= b.v[l]} << l;
    return mask;
  }
};

// Whole numbers: 16 lanes of four bytes, and 16 sums of their products with four other bytes.
constexpr int64_t kByteLevels = 127;
struct UnsignedBytes {
  static constexpr int64_t count = 4;
  const uint8_t* four;
  static UnsignedBytes broadcast(const uint8_t* p) { return {p}; }
};
struct SignedBytes {
  const int8_t* v;
  static SignedBytes load(const int8_t* p) { return {p}; }
};
// 16 lanes of two words; a broadcast is one pair for all lanes.
struct WordPairs {
  const int16_t* v;
  static WordPairs load(const int16_t* p) { return {p}; }
  static WordPairs broadcast(const int16_t* two) { return {two}; }
};
struct Sums {
  int32_t v[16];
  static Sums zero() {
    Sums out;
    for (int l = 0; l < 16; ++l) out.v[l] = 0;
    return out;
  }
  void store(int32_t* p) const {
    for (int l = 0; l < 16; ++l) p[l] = v[l];
  }
  void add_products(WordPairs a, WordPairs b) {
    for (int l = 0; l < 16; ++l) v[l] += a.v[0] * b.v[2 * l] + a.v[1] * b.v[2 * l + 1];
  }
  static Sums load(const int32_t* p) {
    Sums out;
    for (int l = 0; l < 16; ++l) out.v[l] = p[l];
    return out;
  }
  Vec<float> floats() const {
    return Vec<float>::each([&](int l) { return static_cast<float>(v[l]); });
  }
  void add_products(UnsignedBytes a, SignedBytes b) {
    for (int l = 0; l < 16; ++l)
      for (int i = 0; i < 4; ++i) v[l] += a.four[i] * b.v[4 * l + i];
  }
};

constexpr int kTileVecs = 1, kBoundSamples = 6;
