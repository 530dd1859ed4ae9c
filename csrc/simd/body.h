// The bodies of the leaf kernels, written once in terms of Vec<T>. Each kernels_<set>.cpp includes
// this file inside a namespace of its own, after its vec_<set>.h. No templates of the standard library
// here: the linker could merge their copies across instruction sets.

// Four dots at once. The first four of a row also fetch the next row of the weights: its dots come next,
// and it lies beyond what the hardware foresees.
template <class T, bool FETCH_NEXT>
void four_dots(const T* w, const T* next, const T* const rows[4], int64_t stride, T* out) {
  using V = Vec<T>;
  V sums[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
  for (int64_t f = 0; f < stride; f += V::lanes) {
    if (FETCH_NEXT) __builtin_prefetch(next + f);
    const V wv = V::load(w + f);
    for (int i = 0; i < 4; ++i) sums[i] = V::fma(wv, V::load(rows[i] + f), sums[i]);
  }
  V::sum4(sums, out);
}

template <class T>
void dots(const T* w, const T* next, const T* x, int64_t stride, const int32_t* ids, int64_t count, T* out) {
  for (int64_t j = 0; j < count; j += 4) {
    const int64_t left = count - j;
    const T* first = x + ids[j] * stride;  // a short last group repeats its first row
    const T* const rows[4] = {first, left > 1 ? x + ids[j + 1] * stride : first,
                              left > 2 ? x + ids[j + 2] * stride : first,
                              left > 3 ? x + ids[j + 3] * stride : first};
    T four[4];
    if (j == 0)
      four_dots<T, true>(w, next, rows, stride, four);
    else
      four_dots<T, false>(w, next, rows, stride, four);
    for (int64_t i = 0; i < (left < 4 ? left : 4); ++i) out[j + i] = four[i];
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
void distance_codes(const T* products, const T* inverse_norms, int64_t count, T threshold, const T* slack,
                    T resolution, T offset, uint8_t* lines) {
  for (int64_t s = 0; s < count; ++s) {
    const T inverse = inverse_norms[s];
    for (int l = 0; l < kBlock; ++l) {
      T code = ((threshold - products[s * kBlock + l]) * inverse - slack[l]) * resolution + offset;
      code = code > 0 ? code : 0;  // NaN becomes 0: nothing is known of the pair
      code = code < 255 ? code : 255;
      lines[s * kBlock + l] = static_cast<uint8_t>(static_cast<int32_t>(code));
    }
  }
}

inline void within_reach(const uint8_t* lines, const uint8_t* reach, const int32_t* ids, int64_t count,
                         uint64_t* masks) {
  constexpr int64_t ahead = 24;  // the lines lie far apart: ask for them early
  for (int64_t j = 0; j < count; ++j) {
    if (j + ahead < count) __builtin_prefetch(lines + ids[j + ahead] * kBlock);
    masks[j] = lanes_le(lines + ids[j] * kBlock, reach);
  }
}

// One strip of VECS vectors of the row: the samples are added up in registers, then meet w once.
template <class T, int VECS>
Vec<T> move_strip(T* w, const T* x, int64_t stride, const int32_t* ids, const T* coefficients, int64_t count,
                  Vec<T> squares) {
  using V = Vec<T>;
  V step[VECS];
  for (int v = 0; v < VECS; ++v) step[v] = V::zero();
  for (int v = 0; v < VECS; ++v) __builtin_prefetch(w + stride + v * V::lanes, 1);  // the next row
  for (int64_t j = 0; j < count; ++j) {
    const V c = V::broadcast(coefficients[j]);
    const T* row = x + ids[j] * stride;
    for (int v = 0; v < VECS; ++v) step[v] = V::fma(c, V::load(row + v * V::lanes), step[v]);
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

template <class T>
T move_row(T* w, const T* x, int64_t stride, const int32_t* ids, const T* coefficients, int64_t count) {
  using V = Vec<T>;
  V squares = V::zero();
  int64_t f = 0;
  for (; f + 4 * V::lanes <= stride; f += 4 * V::lanes)
    squares = move_strip<T, 4>(w + f, x + f, stride, ids, coefficients, count, squares);
  for (; f < stride; f += V::lanes)
    squares = move_strip<T, 1>(w + f, x + f, stride, ids, coefficients, count, squares);
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
T squared_distance(const T* a, const T* b, int64_t stride) {
  using V = Vec<T>;
  V squares = V::zero();
  for (int64_t f = 0; f < stride; f += V::lanes) {
    const V difference = V::load(a + f) - V::load(b + f);
    squares = V::fma(difference, difference, squares);
  }
  return sum(squares);
}

template <class T>
T largest(const T* row, int64_t stride) {
  constexpr int lanes = Vec<T>::lanes;
  T high[lanes] = {}, low[lanes] = {};
  for (int64_t f = 0; f < stride; f += lanes) {
    for (int l = 0; l < lanes; ++l) {
      high[l] = row[f + l] > high[l] ? row[f + l] : high[l];
      low[l] = row[f + l] < low[l] ? row[f + l] : low[l];
    }
  }
  T out = 0;
  for (int l = 0; l < lanes; ++l) {
    out = high[l] > out ? high[l] : out;
    out = -low[l] > out ? -low[l] : out;
  }
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

template <class T>
void quantise(T* __restrict row, int64_t stride, T scale, T levels, int8_t* __restrict bytes) {
  const T inverse = scale > 0 ? 1 / scale : 0;
  for (int64_t f = 0; f < stride; ++f) {
    T level = row[f] * inverse;
    level = level > -levels ? level : -levels;  // NaN too, and stays NaN in the row
    level = level < levels ? level : levels;
    const auto nearest = static_cast<int32_t>(level + (level < 0 ? T(-0.5) : T(0.5)));
    bytes[f] = static_cast<int8_t>(nearest);
    row[f] -= scale * static_cast<T>(nearest);
  }
}

// One register tile of upper_bounds, of the shape of tile_products.
template <int SAMPLES>
void tile_bounds(const int8_t* w, const int32_t* offsets, const float* terms, const uint8_t* x,
                 const float* x_terms, int64_t features, float* bounds) {
  using V = Vec<float>;
  Sums sums[SAMPLES][kTileVecs];
  for (int s = 0; s < SAMPLES; ++s)
    for (int v = 0; v < kTileVecs; ++v) sums[s][v] = Sums::load(offsets + v * V::lanes);
  for (int64_t f = 0; f < features; f += 4) {
    SignedBytes signed_bytes[kTileVecs];
    for (int v = 0; v < kTileVecs; ++v)
      signed_bytes[v] = SignedBytes::load(w + f * kBlock + v * 4 * V::lanes);
    for (int s = 0; s < SAMPLES; ++s) {
      const UnsignedBytes four = UnsignedBytes::broadcast(x + s * features + f);
      for (int v = 0; v < kTileVecs; ++v) sums[s][v].add_products(four, signed_bytes[v]);
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
  constexpr int width = kTileVecs * Vec<float>::lanes, samples = 6;
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
constexpr Kernels<T> table() {
  return {dots<T>,        block_products<T>,   above<T>,   distance_codes<T>, within_reach, move_row<T>,
          scatter_row<T>, squared_distance<T>, largest<T>, squared_norm<T>,   quantise<T>,  upper_bounds};
}
