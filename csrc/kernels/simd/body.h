// The bodies of the leaf kernels, written once in terms of Vec<T>. Each kernels_<set>.cpp includes
// this file inside a namespace of its own, after its vec_<set>.h. No templates of the standard library
// here: the linker could merge their copies across instruction sets.

// Samples as rows of numbers, and as 16-bit codes: how a kernel gets VECS vectors of one from an address.
template <class Number>
struct Plain {
  using T = Number;
  using Row = const T*;
  static constexpr int vecs = 1;
  static int64_t stride(int64_t stride) { return stride; }
  static T scaled(T sum) { return sum; }
  template <int VECS>
  static void load(Row p, Vec<T>* out) {
    for (int v = 0; v < VECS; ++v) out[v] = Vec<T>::load(p + v * Vec<T>::lanes);
  }
};

struct Coded {
  using T = float;
  using Row = const int16_t*;
  static constexpr int vecs = 2;
  static int64_t stride(int64_t stride) { return coded_stride(stride); }
  static T scaled(T sum) { return sum * kCodeUnit; }
  template <int VECS>
  static void load(Row p, Vec<T>* out) {
    for (int v = 0; v < VECS; v += 2) {
      Vec<T> high;
      load_codes(p + v * Vec<T>::lanes, out[v], v + 1 < VECS ? out[v + 1] : high);
    }
  }
};

// One step along four dots at once, of four rows of weights or of one and the SAME.
template <class Source, bool SAME, int VECS>
inline void four_step(const typename Source::T* const w[4], const typename Source::Row x[4], int64_t f,
                      Vec<typename Source::T> sums[4]) {
  using V = Vec<typename Source::T>;
  V wv[VECS], xv[VECS];
  for (int v = 0; v < VECS; ++v) wv[v] = V::load(w[0] + f + v * V::lanes);
  for (int i = 0; i < 4; ++i) {
    Source::template load<VECS>(x[i] + f, xv);
    for (int v = 0; v < VECS; ++v)
      sums[i] = V::fma(SAME ? wv[v] : V::load(w[i] + f + v * V::lanes), xv[v], sums[i]);
  }
}

template <class Source, bool SAME>
void four_dots(const typename Source::T* const w[4], const typename Source::T* next,
               const typename Source::Row x[4], int64_t stride, typename Source::T* out) {
  using V = Vec<typename Source::T>;
  constexpr int step = Source::vecs * V::lanes;
  V sums[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
  int64_t f = 0;
  for (; f + step <= stride; f += step) {
    for (int v = 0; v < Source::vecs; ++v) __builtin_prefetch(next + f + v * V::lanes);
    four_step<Source, SAME, Source::vecs>(w, x, f, sums);
  }
  if (f < stride) four_step<Source, SAME, 1>(w, x, f, sums);
  V::sum4(sums, out);
  for (int i = 0; i < 4; ++i) out[i] = Source::scaled(out[i]);
}

// Pairs four by four, whatever their neurons. `next` is the row of the pair that opens the group after.
template <class Source>
void pair_dots(const typename Source::T* const* w, const uint8_t* lanes, typename Source::Row x,
               int64_t stride, const int32_t* ids, int64_t count, typename Source::T* out) {
  using T = typename Source::T;
  const int64_t x_stride = Source::stride(stride);
  for (int64_t j = 0; j < count; j += 4) {
    const T* rows[4];
    typename Source::Row samples[4];
    for (int64_t i = 0; i < 4; ++i) {
      const int64_t pair = j + i < count ? j + i : count - 1;  // a short last group repeats its last pair
      rows[i] = w[lanes[pair]];
      samples[i] = x + ids[pair] * x_stride;
    }
    const T* next = w[lanes[j + 7 < count ? j + 7 : count - 1]];
    T four[4];
    if (rows[0] == rows[3])
      four_dots<Source, true>(rows, next, samples, stride, four);
    else
      four_dots<Source, false>(rows, next, samples, stride, four);
    for (int64_t i = 0; i < 4 && j + i < count; ++i) out[j + i] = four[i];
  }
}

template <class T>
void dots(const T* w, const T* x, int64_t stride, const int32_t* ids, int64_t count, T* out) {
  const T* const rows[4] = {w, w, w, w};
  for (int64_t j = 0; j < count; j += 4) {
    const T* samples[4];
    for (int64_t i = 0; i < 4; ++i) samples[i] = x + ids[j + i < count ? j + i : j] * stride;
    T four[4];
    four_dots<Plain<T>, true>(rows, w, samples, stride, four);
    for (int64_t i = 0; i < 4 && j + i < count; ++i) out[j + i] = four[i];
  }
}

// One register tile: kTileVecs vectors of neurons x SAMPLES samples.
template <class T, int SAMPLES>
void tile_products(const T* packed, const T* x, int64_t stride, T* products) {
  using V = Vec<T>;
  V sums[SAMPLES][kTileVecs];
  for (int s = 0; s < SAMPLES; ++s)
    for (int v = 0; v < kTileVecs; ++v) sums[s][v] = V::zero();
  for (int64_t f = 0; f < stride; ++f) {
    V w[kTileVecs];
    for (int v = 0; v < kTileVecs; ++v) w[v] = V::load(packed + f * kBlock + v * V::lanes);
    for (int s = 0; s < SAMPLES; ++s) {
      const V xv = V::broadcast(x[s * stride + f]);
      for (int v = 0; v < kTileVecs; ++v) sums[s][v] = V::fma(w[v], xv, sums[s][v]);
    }
  }
  for (int s = 0; s < SAMPLES; ++s)
    for (int v = 0; v < kTileVecs; ++v) sums[s][v].store(products + s * kBlock + v * V::lanes);
}

template <class T>
void block_products(const T* packed, const T* x, int64_t stride, int64_t count, T* products) {
  constexpr int width = kTileVecs * Vec<T>::lanes;
  for (int64_t s = 0; s < count; s += 6) {
    for (int column = 0; column < kBlock; column += width) {
      const T* p = packed + column;
      const T* rows = x + s * stride;
      T* out = products + s * kBlock + column;
      switch (count - s) {
        case 1:
          tile_products<T, 1>(p, rows, stride, out);
          break;
        case 2:
          tile_products<T, 2>(p, rows, stride, out);
          break;
        case 3:
          tile_products<T, 3>(p, rows, stride, out);
          break;
        case 4:
          tile_products<T, 4>(p, rows, stride, out);
          break;
        case 5:
          tile_products<T, 5>(p, rows, stride, out);
          break;
        default:
          tile_products<T, 6>(p, rows, stride, out);
      }
    }
  }
}

template <class T>
void above(const T* products, const T* norms, int64_t count, T ceiling, const T* band, uint64_t* masks) {
  using V = Vec<T>;
  const V top = V::broadcast(ceiling);
  for (int64_t s = 0; s < count; ++s) {
    const V norm = V::broadcast(norms[s]);
    uint64_t mask = 0;
    for (int l = 0; l < kBlock; l += V::lanes)
      mask |= V::not_le(V::load(products + s * kBlock + l), top - norm * V::load(band + l)) << l;
    masks[s] = mask;
  }
}

template <class T>
void distance_codes(const int32_t* sums, const T* units, const T* x_units, const T* inverse_norms,
                    int64_t count, T threshold, const T* slack, T resolution, T offset, T highest,
                    uint8_t* codes) {
  for (int64_t s = 0; s < count; ++s) {
    const T unit = x_units[s], inverse = inverse_norms[s];
    for (int l = 0; l < kBlock; ++l) {
      const T product = static_cast<T>(sums[s * kBlock + l]) * units[l] * unit;
      T code = ((threshold - product) * inverse - slack[l]) * resolution + offset;
      code = code > 0 ? code : 0;  // NaN becomes 0: nothing is known of the pair
      code = code < highest ? code : highest;
      codes[s * kBlock + l] = static_cast<uint8_t>(static_cast<int32_t>(code));
    }
  }
}

// One register tile of word_products, of the shape of tile_products.
template <int SAMPLES>
void tile_word_products(const int16_t* packed, const int16_t* x, int64_t stride, int32_t* products) {
  constexpr int lanes = Vec<float>::lanes;
  Sums sums[SAMPLES][kTileVecs];
  for (int s = 0; s < SAMPLES; ++s)
    for (int v = 0; v < kTileVecs; ++v) sums[s][v] = Sums::zero();
  for (int64_t f = 0; f < stride; f += 2) {
    WordPairs w[kTileVecs];
    for (int v = 0; v < kTileVecs; ++v) w[v] = WordPairs::load(packed + f * kBlock + v * 2 * lanes);
    for (int s = 0; s < SAMPLES; ++s) {
      const WordPairs two = WordPairs::broadcast(x + s * stride + f);
      for (int v = 0; v < kTileVecs; ++v) sums[s][v].add_products(two, w[v]);
    }
  }
  for (int s = 0; s < SAMPLES; ++s)
    for (int v = 0; v < kTileVecs; ++v) sums[s][v].store(products + s * kBlock + v * lanes);
}

inline void word_products(const int16_t* packed, const int16_t* x, int64_t stride, int64_t count,
                          int32_t* products) {
  constexpr int width = kTileVecs * Vec<float>::lanes, samples = 6;
  for (int64_t s = 0; s < count;) {
    const bool whole = s + samples <= count;
    for (int column = 0; column < kBlock; column += width)
      (whole ? tile_word_products<samples> : tile_word_products<1>)(packed + 2 * column, x + s * stride,
                                                                    stride, products + s * kBlock + column);
    s += whole ? samples : 1;
  }
}

// How a line of the table holds its 64 codes: in a byte each, or two in a byte.
struct Bytes {
  static constexpr int64_t size = kBlock;
  static Line load(const uint8_t* line) { return Line::load(line); }
  static const uint8_t* codes(const uint8_t* line, uint8_t*) { return line; }
};

struct HalfBytes {
  static constexpr int64_t size = kBlock / 2;
  static Line load(const uint8_t* line) { return Line::load_packed(line); }
  static const uint8_t* codes(const uint8_t* line, uint8_t* room) {
    load(line).store(room);
    return room;
  }
};

// What the accumulators of a shared dot hold in lane LANE, added up over the lanes LANE, LANE + STEP, ..: for
// 64 samples at once, a sample in each lane of `out`.
template <class T, int LANE, int STEP>
inline void lane_sums(const T* w, const T* packed, int64_t stride, Vec<T>* out) {
  using V = Vec<T>;
  constexpr int vecs = kBlock / V::lanes;
  if constexpr (STEP == V::lanes) {
    for (int v = 0; v < vecs; ++v) out[v] = V::zero();
    for (int64_t f = LANE; f < stride; f += V::lanes) {
      const V wv = V::broadcast(w[f]);
      for (int v = 0; v < vecs; ++v) out[v] = V::fma(wv, V::load(packed + f * kBlock + v * V::lanes), out[v]);
    }
  } else {
    V other[vecs];
    lane_sums<T, LANE, 2 * STEP>(w, packed, stride, out);
    lane_sums<T, LANE + STEP, 2 * STEP>(w, packed, stride, other);
    for (int v = 0; v < vecs; ++v) out[v] = out[v] + other[v];
  }
}

template <class T>
void add_activations(const T* w, const T* packed, int64_t stride, T threshold, const T* a, int64_t a_stride,
                     int64_t n_outputs, int64_t count, T* sums) {
  using V = Vec<T>;
  constexpr int vecs = kBlock / V::lanes;
  const V b = V::broadcast(threshold);
  for (int64_t r = 0; r < count; ++r) {
    V activations[vecs];
    lane_sums<T, 0, 1>(w + r * stride, packed, stride, activations);
    for (int v = 0; v < vecs; ++v) activations[v] = V::positive(activations[v] - b);
    for (int64_t k = 0; k < n_outputs; ++k) {
      const V factor = V::broadcast(a[r * a_stride + k]);
      T* row = sums + k * kBlock;
      for (int v = 0; v < vecs; ++v)
        V::fma(activations[v], factor, V::load(row + v * V::lanes)).store(row + v * V::lanes);
    }
  }
}

template <class Codes>
int64_t within_reach(const uint8_t* lines, const uint8_t* reach, uint64_t lanes, const int32_t* ids,
                     int64_t count, uint64_t* masks) {
  constexpr int64_t ahead = 24;  // the lines lie far apart: ask for them early
  int64_t all = 0;
  for (int64_t j = 0; j < count; ++j) {
    if (j + ahead < count) __builtin_prefetch(lines + ids[j + ahead] * Codes::size);
    masks[j] = lanes & Line::le(Codes::load(lines + ids[j] * Codes::size), Line::load(reach));
    all += __builtin_popcountll(masks[j]);
  }
  return all;
}

inline int64_t set_bits(const uint64_t* words, int64_t n_words, int32_t* ids) {
  int64_t count = 0;
  for (int64_t word = 0; word < n_words; ++word)
    if (words[word * kBlock] != 0)
      count += bits_of(words[word * kBlock], static_cast<int32_t>(64 * word), ids + count);
  return count;
}

inline int64_t common_bits(const uint64_t* a, const uint64_t* b, int64_t n_words) {
  int64_t count = 0;
  for (int64_t word = 0; word < n_words; ++word) count += __builtin_popcountll(a[word] & b[word]);
  return count;
}

template <class Codes, class T>
void sketch_bound(const T* products, const uint8_t* lines, const int32_t* ids, const T* perps, const T* slack,
                  const T* x_perps, const T* x_norms, int64_t count, T unit, T zero, uint64_t* masks) {
  using V = Vec<T>;
  static const uint8_t nothing[kBlock] = {};
  const V units = V::broadcast(unit), zeros = V::broadcast(zero);
  for (int64_t s = 0; s < count; ++s) {
    uint8_t room[kBlock];
    const uint8_t* line = Codes::codes(lines + ids[s] * Codes::size, room);
    const V perp = V::broadcast(x_perps[s]), norm = V::broadcast(x_norms[s]);
    uint64_t mask = Line::le(Line::load(line), Line::load(nothing));
    for (int l = 0; l < kBlock; l += V::lanes) {
      V moved = V::fma(V::load(perps + l), perp, V::load(products + s * kBlock + l));
      moved = V::fma(V::load(slack + l), norm, moved);
      const V distance = load_bytes(line + l, units) - zeros;
      mask |= V::not_le(moved, distance * norm) << l;
    }
    masks[s] &= mask;
  }
}

// One strip of VECS vectors of the row: the samples are added up in registers, then meet w once.
template <class Source, int VECS>
inline Vec<typename Source::T> move_strip(typename Source::T* w, const typename Source::T* next,
                                          typename Source::Row x, int64_t x_stride, const int32_t* ids,
                                          const typename Source::T* coefficients, int64_t count,
                                          Vec<typename Source::T> squares) {
  using V = Vec<typename Source::T>;
  V step[VECS], xv[VECS];
  for (int v = 0; v < VECS; ++v) step[v] = V::zero();
  for (int v = 0; v < VECS; ++v) __builtin_prefetch(next + v * V::lanes, 1);
  for (int64_t j = 0; j < count; ++j) {
    const V c = V::broadcast(Source::scaled(coefficients[j]));
    Source::template load<VECS>(x + ids[j] * x_stride, xv);
    for (int v = 0; v < VECS; ++v) step[v] = V::fma(c, xv[v], step[v]);
  }
  for (int v = 0; v < VECS; ++v) {
    const V before = V::load(w + v * V::lanes);
    const V after = before + step[v];
    after.store(w + v * V::lanes);
    const V moved = after - before;
    squares = V::fma(moved, moved, squares);
  }
  return squares;
}

template <class T>
T sum(const Vec<T>& vec) {
  const Vec<T> four[4] = {vec, vec, vec, vec};
  T out[4];
  Vec<T>::sum4(four, out);
  return out[0];
}

template <class Source>
typename Source::T move_row(typename Source::T* w, const typename Source::T* next, typename Source::Row x,
                            int64_t stride, const int32_t* ids, const typename Source::T* coefficients,
                            int64_t count) {
  using V = Vec<typename Source::T>;
  const int64_t x_stride = Source::stride(stride);
  V squares = V::zero();
  int64_t f = 0;
  for (; f + 4 * V::lanes <= stride; f += 4 * V::lanes)
    squares = move_strip<Source, 4>(w + f, next + f, x + f, x_stride, ids, coefficients, count, squares);
  if (f + 2 * V::lanes <= stride) {
    squares = move_strip<Source, 2>(w + f, next + f, x + f, x_stride, ids, coefficients, count, squares);
    f += 2 * V::lanes;
  }
  if (f < stride)
    squares = move_strip<Source, 1>(w + f, next + f, x + f, x_stride, ids, coefficients, count, squares);
  return sum(squares);
}

template <class T>
void scatter_row(const T* row, int64_t stride, const int32_t* ids, const T* factors, int64_t count, T* out) {
  using V = Vec<T>;
  for (int64_t f = 0; f < stride; f += V::lanes) {
    const V r = V::load(row + f);
    for (int64_t j = 0; j < count; ++j) {
      T* target = out + ids[j] * stride + f;
      V::fma(V::broadcast(factors[j]), r, V::load(target)).store(target);
    }
  }
}

template <class T>
void glide(const T* w, const T* v, int64_t stride, T p, T q, T* out) {
  using V = Vec<T>;
  const V ps = V::broadcast(p), qs = V::broadcast(q);
  for (int64_t f = 0; f < stride; f += V::lanes) {
    const V glided = v ? V::fma(ps, V::load(w + f), qs * V::load(v + f)) : ps * V::load(w + f);
    glided.store(out + f);
  }
}

template <class T>
T squared_distance(const T* a, const int16_t* b, T scale, int64_t stride) {
  using V = Vec<T>;
  const V scales = V::broadcast(scale);
  V squares = V::zero();
  for (int64_t f = 0; f < stride; f += V::lanes) {
    const V difference = V::load(a + f) - load_words(b + f, scales);
    squares = V::fma(difference, difference, squares);
  }
  return sum(squares);
}

// H of R rows on R vectors in registers.
template <int R, class V>
inline __attribute__((always_inline)) void butterflies(V* v) {
  for (int r = 0; r < R / 2; ++r) {
    const V a = v[r], b = v[r + R / 2];
    v[r] = a + b;
    v[r + R / 2] = a - b;
  }
  if constexpr (R > 2) {
    butterflies<R / 2>(v);
    butterflies<R / 2>(v + R / 2);
  }
}

// The steps of the transform between rows that lie step, 2 step, .. R/2 step apart.
template <class T, int R, bool SIGNED>
inline __attribute__((always_inline)) void hadamard_pass(const T* in, T* out, int64_t size, int64_t step,
                                                         const T* signs) {
  using V = Vec<T>;
  for (int64_t group = 0; group < size; group += R * step) {
    for (int64_t i = group; i < group + step; ++i) {
      V v[R];
      for (int r = 0; r < R; ++r) {
        v[r] = V::load(in + (i + r * step) * V::lanes);
        if (SIGNED) v[r] = v[r] * V::broadcast(signs[i + r * step]);
      }
      butterflies<R>(v);
      for (int r = 0; r < R; ++r) v[r].store(out + (i + r * step) * V::lanes);
    }
  }
}

// The transform in place, for a size that is a power of 16: a pass over the tile, then each part by itself,
// in the nearest cache.
template <class T>
void hadamard_part(T* tile, int64_t size) {
  if (size == 16) {
    hadamard_pass<T, 16, false>(tile, tile, 16, 1, nullptr);
  } else if (size == 256) {
    hadamard_pass<T, 16, false>(tile, tile, 256, 16, nullptr);
    hadamard_pass<T, 16, false>(tile, tile, 256, 1, nullptr);
  } else {
    hadamard_pass<T, 16, false>(tile, tile, size, size / 16, nullptr);
    for (int64_t first = 0; first < size; first += size / 16)
      hadamard_part<T>(tile + first * Vec<T>::lanes, size / 16);
  }
}

template <class T>
void hadamard(const T* in, T* out, int64_t size, const T* signs) {
  int64_t radix = size;
  while (radix > 16) radix /= 16;
  const int64_t part = size / radix;
  switch (radix) {
    case 2:
      hadamard_pass<T, 2, true>(in, out, size, part, signs);
      break;
    case 4:
      hadamard_pass<T, 4, true>(in, out, size, part, signs);
      break;
    case 8:
      hadamard_pass<T, 8, true>(in, out, size, part, signs);
      break;
    default:
      hadamard_pass<T, 16, true>(in, out, size, part, signs);
  }
  if (part == 1) return;
  for (int64_t first = 0; first < size; first += part) hadamard_part<T>(out + first * Vec<T>::lanes, part);
}

template <class T>
void tile_codes(const T* tile, const T* scales, const T* offsets, int64_t count, const T* factors,
                T threshold, T highest, uint8_t* codes) {
  constexpr int lanes = Vec<T>::lanes;
  for (int64_t r = 0; r < count; ++r) {
    const T scale = scales[r], offset = offsets[r];
    for (int l = 0; l < lanes; ++l) {
      T code = (threshold - scale * tile[r * lanes + l]) * factors[l] + offset;
      code = code > 0 ? code : 0;  // NaN becomes 0: nothing is known of the pair
      code = code < highest ? code : highest;
      codes[r * lanes + l] = static_cast<uint8_t>(static_cast<int32_t>(code));
    }
  }
}

// The bits of |x|, which are ordered as these sizes are.
inline int32_t bits_of_size(float x) {
  int32_t bits;
  __builtin_memcpy(&bits, &x, sizeof x);
  return bits & 0x7FFFFFFF;
}
inline int64_t bits_of_size(double x) {
  int64_t bits;
  __builtin_memcpy(&bits, &x, sizeof x);
  return bits & 0x7FFFFFFFFFFFFFFF;
}

template <class T>
T largest(const T* row, int64_t stride) {
  auto most = bits_of_size(T{0});
  for (int64_t f = 0; f < stride; ++f) {
    const auto bits = bits_of_size(row[f]);
    most = bits > most ? bits : most;
  }
  T out;
  __builtin_memcpy(&out, &most, sizeof out);
  return out;
}

template <class T>
T squared_norm(const T* row, int64_t stride) {
  using V = Vec<T>;
  V squares = V::zero();
  for (int64_t f = 0; f < stride; f += V::lanes)
    squares = V::fma(V::load(row + f), V::load(row + f), squares);
  return sum(squares);
}

inline float half_of_sign(float x) { return __builtin_copysignf(0.5F, x); }
inline double half_of_sign(double x) { return __builtin_copysign(0.5, x); }

template <class T>
int32_t quantise(T* __restrict row, int64_t stride, T scale, int8_t* __restrict bytes) {
  const T inverse = 1 / scale;
  int32_t sum = 0;
  for (int64_t f = 0; f < stride; ++f) {
    const T level = row[f] * inverse;
    const auto nearest = static_cast<int32_t>(level + half_of_sign(level));
    bytes[f] = static_cast<int8_t>(nearest);
    sum += nearest;
    row[f] -= scale * static_cast<T>(nearest);
  }
  return sum;
}

// One register tile of upper_bounds: kTileVecs vectors of neurons x SAMPLES samples.
template <int SAMPLES>
void tile_bounds(const int8_t* w, const int32_t* offsets, const float* terms, const uint8_t* x,
                 const float* x_terms, int64_t features, float* bounds) {
  using V = Vec<float>;
  Sums sums[SAMPLES][kTileVecs];
  for (int s = 0; s < SAMPLES; ++s)
    for (int v = 0; v < kTileVecs; ++v) sums[s][v] = Sums::load(offsets + v * V::lanes);
  for (int64_t f = 0; f < features; f += UnsignedBytes::count) {
    SignedBytes signed_bytes[kTileVecs];
    for (int v = 0; v < kTileVecs; ++v)
      signed_bytes[v] = SignedBytes::load(w + f * kBlock + v * 4 * V::lanes);
    for (int s = 0; s < SAMPLES; ++s) {
      const UnsignedBytes same = UnsignedBytes::broadcast(x + s * features + f);
      for (int v = 0; v < kTileVecs; ++v) sums[s][v].add_products(same, signed_bytes[v]);
    }
  }
  for (int s = 0; s < SAMPLES; ++s) {
    const float* mine = x_terms + s * kTerms;
    for (int v = 0; v < kTileVecs; ++v) {
      V bound = sums[s][v].floats() * V::load(terms + v * V::lanes) * V::broadcast(mine[0]);
      for (int t = 1; t < kTerms; ++t)
        bound = V::fma(V::load(terms + t * kBlock + v * V::lanes), V::broadcast(mine[t]), bound);
      bound.store(bounds + s * kBlock + v * V::lanes);
    }
  }
}

inline void upper_bounds(const int8_t* w, const int32_t* offsets, const float* terms, const uint8_t* x,
                         const float* x_terms, int64_t features, int64_t count, float* bounds) {
  constexpr int width = kTileVecs * Vec<float>::lanes, samples = kBoundSamples;
  for (int64_t s = 0; s < count;) {
    const bool whole = s + samples <= count;
    for (int column = 0; column < kBlock; column += width)
      (whole ? tile_bounds<samples> : tile_bounds<1>)(w + 4 * column, offsets + column, terms + column,
                                                      x + s * features, x_terms + s * kTerms, features,
                                                      bounds + s * kBlock + column);
    s += whole ? samples : 1;
  }
}

template <class T>
void point_masks(const T* columns, const int32_t* groups, int64_t count, const T* normal, int64_t features,
                 T low, T high, uint16_t* open, uint16_t* sure) {
  using V = Vec<T>;
  const V lows = V::broadcast(low), highs = V::broadcast(high);
  for (int64_t i = 0; i < count; ++i) {
    const T* column = columns + groups[i] * features * kGroupSize;
    const T* ahead =
        columns + groups[i + 4 < count ? i + 4 : i] * features * kGroupSize;  // they lie far apart
    for (int64_t f = 0; f < features && f < 4; ++f) __builtin_prefetch(ahead + f * kGroupSize);
    uint64_t maybe = 0, outside = 0;
    for (int l = 0; l < kGroupSize; l += V::lanes) {
      V sum = V::zero();
      for (int64_t f = 0; f < features; ++f)
        sum = V::fma(V::broadcast(normal[f]), V::load(column + f * kGroupSize + l), sum);
      maybe |= V::not_le(sum, lows) << l;
      outside |= V::not_le(highs, sum) << l;
    }
    open[i] = static_cast<uint16_t>(maybe);
    sure[i] = static_cast<uint16_t>(~outside);
  }
}

template <class T>
void box_masks(const T* corners, const int32_t* leaves, int64_t count, const T* normal, int64_t features,
               T low, T high, uint16_t* open, uint16_t* sure) {
  using V = Vec<T>;
  const V lows = V::broadcast(low), highs = V::broadcast(high);
  for (int64_t i = 0; i < count; ++i) {
    const T* least = corners + leaves[i] * 2 * features * kGroupSize;
    const T* most = least + features * kGroupSize;
    uint64_t maybe = 0, outside = 0;
    for (int l = 0; l < kGroupSize; l += V::lanes) {
      V along = V::zero(), back = V::zero();
      for (int64_t f = 0; f < features; ++f) {
        const V n = V::broadcast(normal[f]);
        const T *far = normal[f] > 0 ? most : least, *near = normal[f] > 0 ? least : most;
        along = V::fma(n, V::load(far + f * kGroupSize + l), along);
        back = V::fma(n, V::load(near + f * kGroupSize + l), back);
      }
      maybe |= V::not_le(along, lows) << l;
      outside |= V::not_le(highs, back) << l;
    }
    open[i] = static_cast<uint16_t>(maybe);
    sure[i] = static_cast<uint16_t>(~outside);
  }
}

inline int64_t masked_ids(const int32_t* ids, const int32_t* groups, int64_t count, const uint16_t* masks,
                          int32_t* out) {
  const int32_t* first = out;
  for (int64_t i = 0; i < count; ++i) out += masked(ids + groups[i] * kGroupSize, masks[i], out);
  return out - first;
}

inline int64_t take_bits(uint64_t* words, int64_t n_words, int32_t* ids) {
  const int32_t* first = ids;
  for (int64_t word = 0; word < n_words; ++word) {
    uint64_t bits = words[word];
    words[word] = 0;
    const int count = __builtin_popcountll(bits);
    const auto place = static_cast<int32_t>(64 * word);
    for (int i = 0; i < 3; ++i) {  // without branches: they could not be foreseen
      ids[i] = place + __builtin_ctzll(bits | uint64_t{1} << 63);
      bits &= bits - 1;
    }
    for (int i = 3; i < count; ++i) {
      ids[i] = place + __builtin_ctzll(bits);
      bits &= bits - 1;
    }
    ids += count;
  }
  return ids - first;
}

template <class T>
void transpose_rows(const T* const* rows, int64_t count, T* columns) {
  constexpr int lanes = Vec<T>::lanes;
  constexpr int64_t ahead = 4 * lanes;
  for (int64_t lane = 0; lane < kBlock; lane += lanes) {
    for (int64_t f = 0; f < count; f += lanes) {
      for (int l = 0; l < lanes; ++l) __builtin_prefetch(rows[lane + l] + f + ahead);
      transpose_tile(rows + lane, f, columns + f * kBlock + lane);
    }
  }
}

template <class T>
void sparse_products(const T* columns, int64_t first, const int32_t* ids, const T* values,
                     const int64_t* from, const int64_t* to, int64_t count, T* sums) {
  using V = Vec<T>;
  constexpr int vecs = 4;  // as many chains as registers of every instruction set hold
  for (int64_t s = 0; s < count; ++s) {
    for (int column = 0; column < kBlock; column += vecs * V::lanes) {
      T* out = sums + s * kBlock + column;
      V sum[vecs];
      for (int v = 0; v < vecs; ++v) sum[v] = V::load(out + v * V::lanes);
      for (int64_t p = from[s]; p < to[s]; ++p) {
        const T* w = columns + (ids[p] - first) * kBlock + column;
        const V value = V::broadcast(values[p]);
        for (int v = 0; v < vecs; ++v) sum[v] = V::fma(V::load(w + v * V::lanes), value, sum[v]);
      }
      for (int v = 0; v < vecs; ++v) sum[v].store(out + v * V::lanes);
    }
  }
}

template <class T>
void fire_masks(const T* sums, int64_t count, T threshold, uint64_t* masks) {
  using V = Vec<T>;
  const V b = V::broadcast(threshold);
  for (int64_t s = 0; s < count; ++s) {
    uint64_t mask = 0;
    for (int l = 0; l < kBlock; l += V::lanes) {
      const V sum = V::load(sums + s * kBlock + l);
      mask |= (V::not_le(sum, b) & ~V::not_le(sum, sum)) << l;
    }
    masks[s] = mask;
  }
}

// Fetches the part of a row that falls to turn j of `count`.
template <class T>
inline void fetch_part(const T* row, int64_t columns, int64_t j, int64_t count, bool writes) {
  constexpr int64_t line = 64 / sizeof(T);
  const int64_t lines = (columns + line - 1) / line;
  for (int64_t l = j * lines / count; l < (j + 1) * lines / count; ++l) {
    if (writes)
      __builtin_prefetch(row + l * line, 1);
    else
      __builtin_prefetch(row + l * line);
  }
}

template <class T>
void gather_row(const T* row, const T* next, int64_t columns, const int32_t* samples, const T* factors,
                int64_t count, const int64_t* begins, const int32_t* ids, T* out) {
  using V = Vec<T>;
  for (int64_t j = 0; j < count; ++j) {
    fetch_part(next, columns, j, count, false);
    const V factor = V::broadcast(factors[j]);
    int64_t p = begins[samples[j]];
    const int64_t end = begins[samples[j] + 1];
    for (; p + V::lanes <= end; p += V::lanes)
      V::fma(V::gather(row, ids + p), factor, V::load(out + p)).store(out + p);
    for (; p < end; ++p) out[p] = fused(row[ids[p]], factors[j], out[p]);
  }
}

template <class T>
void gather_dots(const T* row, const T* next, int64_t columns, const int32_t* samples, int64_t count,
                 const int64_t* begins, const int32_t* ids, const T* values, T* out) {
  using V = Vec<T>;
  for (int64_t j = 0; j < count; ++j) {
    fetch_part(next, columns, j, count, false);
    int64_t p = begins[samples[j]];
    const int64_t end = begins[samples[j] + 1];
    V lanes = V::zero();
    for (; p + V::lanes <= end; p += V::lanes)
      lanes = V::fma(V::gather(row, ids + p), V::load(values + p), lanes);
    T all = sum(lanes);
    for (; p < end; ++p) all = fused(row[ids[p]], values[p], all);
    out[j] = all;
  }
}

template <class T>
void move_sparse_row(T* row, const T* next, int64_t first, int64_t columns, const int32_t* samples,
                     const T* factors, T rate, int64_t count, const int64_t* from, const int64_t* to,
                     const int32_t* ids, const T* values) {
  for (int64_t j = 0; j < count; ++j) {
    fetch_part(next + first, columns, j, count, true);
    const T factor = rate * factors[j];
    for (int64_t p = from[samples[j]]; p < to[samples[j]]; ++p)
      row[ids[p]] = fused(factor, values[p], row[ids[p]]);
  }
}

template <class T>
struct CodedKernels {  // of float only
  static constexpr decltype(Kernels<T>::pair_dots_coded) dots = nullptr;
  static constexpr decltype(Kernels<T>::move_row_coded) move = nullptr;
};
template <>
struct CodedKernels<float> {
  static constexpr decltype(Kernels<float>::pair_dots_coded) dots = pair_dots<Coded>;
  static constexpr decltype(Kernels<float>::move_row_coded) move = move_row<Coded>;
};

template <class T>
constexpr Kernels<T> table() {
  return {dots<T>,
          pair_dots<Plain<T>>,
          CodedKernels<T>::dots,
          block_products<T>,
          above<T>,
          word_products,
          distance_codes<T>,
          within_reach<Bytes>,
          within_reach<HalfBytes>,
          set_bits,
          common_bits,
          sketch_bound<Bytes, T>,
          sketch_bound<HalfBytes, T>,
          add_activations<T>,
          move_row<Plain<T>>,
          CodedKernels<T>::move,
          scatter_row<T>,
          glide<T>,
          squared_distance<T>,
          largest<T>,
          squared_norm<T>,
          quantise<T>,
          upper_bounds,
          kByteLevels,
          hadamard<T>,
          tile_codes<T>,
          point_masks<T>,
          box_masks<T>,
          masked_ids,
          take_bits,
          transpose_rows<T>,
          sparse_products<T>,
          fire_masks<T>,
          gather_row<T>,
          gather_dots<T>,
          move_sparse_row<T>};
}
