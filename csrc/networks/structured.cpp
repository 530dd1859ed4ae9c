#include "networks/structured.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/pool.h"
#include "kernels/kernels.h"

namespace fewfire {
namespace {

template <class T>
constexpr int64_t kLanes = 64 / sizeof(T);  // vectors transformed side by side

// Transforms the samples i .. i + count - 1, at most one a lane, and gives visit(first neuron, number of
// neurons, tile) each block's tile; the products are scales[r] * tile[(r - first) * lanes + sample].
template <class T, class Visit>
void transform_samples(const Structure<T>& s, const Rows<const T>& x, int64_t i, int64_t count, Visit visit) {
  static thread_local std::vector<T> samples, tile;
  samples.assign(s.size * kLanes<T>, 0);
  tile.resize(s.size * kLanes<T>);
  const int64_t columns = std::min(x.stride, s.size);  // the padding may reach beyond
  for (int64_t lane = 0; lane < count; ++lane)
    for (int64_t f = 0; f < columns; ++f) samples[f * kLanes<T> + lane] = x[i + lane][f];

  const Kernels<T>& kernel = kernels<T>();
  for (int64_t first = 0; first < s.width; first += s.size) {
    const T* signs = s.signs + 3 * first;
    kernel.hadamard(samples.data(), tile.data(), s.size, signs + 2 * s.size);
    kernel.hadamard(tile.data(), tile.data(), s.size, signs + s.size);
    kernel.hadamard(tile.data(), tile.data(), s.size, signs);
    visit(first, std::min(s.size, s.width - first), tile.data());
  }
}

// Turns bytes (64, lanes) into (lanes, 64). A perfect shuffle of 2^p bytes rotates the p bits of their places
// by one; six bring the bits of the 64 last.
template <int64_t LANES>
const uint8_t* turned(uint8_t* bytes, uint8_t* other) {
  constexpr int64_t half = kBlock * LANES / 2;
  for (int shuffle = 0; shuffle < 6; ++shuffle) {
    for (int64_t i = 0; i < half; ++i) {
      other[2 * i] = bytes[i];
      other[2 * i + 1] = bytes[half + i];
    }
    std::swap(bytes, other);
  }
  return bytes;
}

}  // namespace

template <class T>
double product_error(const Structure<T>& s, int64_t neuron, double largest_norm) {
  const double growth = std::pow(static_cast<double>(s.size), 1.5);
  const double norm = s.scales[neuron] * growth;  // of the row before columns were left out
  if (!(std::max(norm, growth) * largest_norm < kSafeProduct<T>))
    return std::numeric_limits<double>::infinity();
  return rounding<T>(3 * static_cast<int64_t>(std::log2(s.size))) * norm + kTiny;
}

template <class T>
void structured_rows(const Structure<T>& s, int64_t n_features, const Rows<T>& rows) {
  const int64_t groups = s.size / kLanes<T>;  // of a block
  const std::vector<T> ones(s.size, 1);
  parallel_for((s.width + kLanes<T> - 1) / kLanes<T>, [&](int64_t group) {
    static thread_local std::vector<T> tile;
    const int64_t first = group * kLanes<T>, row = group % groups * kLanes<T>;
    const T* signs = s.signs + 3 * s.size * (group / groups);
    // Row i of H D1 H D2 H D3 is D3 H D2 H D1 H applied to the unit vector i.
    tile.assign(s.size * kLanes<T>, 0);
    for (int64_t lane = 0; lane < kLanes<T>; ++lane) tile[(row + lane) * kLanes<T> + lane] = 1;
    const Kernels<T>& kernel = kernels<T>();
    kernel.hadamard(tile.data(), tile.data(), s.size, ones.data());
    kernel.hadamard(tile.data(), tile.data(), s.size, signs);
    kernel.hadamard(tile.data(), tile.data(), s.size, signs + s.size);
    const int64_t count = std::min(kLanes<T>, s.width - first);
    for (int64_t lane = 0; lane < count; ++lane) {
      const T scale = s.scales[first + lane];
      T* out = rows[first + lane];
      for (int64_t f = 0; f < n_features; ++f)
        out[f] = scale * signs[2 * s.size + f] * tile[f * kLanes<T> + lane];
    }
  });
}

template <class T>
void structured_products(const Structure<T>& s, const Rows<const T>& x, T* products) {
  parallel_for((x.count + kLanes<T> - 1) / kLanes<T>, [&](int64_t group) {
    const int64_t i = group * kLanes<T>;
    const int64_t samples = std::min(kLanes<T>, x.count - i);
    transform_samples<T>(s, x, i, samples, [&](int64_t first, int64_t count, const T* tile) {
      for (int64_t lane = 0; lane < samples; ++lane)
        for (int64_t r = 0; r < count; ++r)
          products[(i + lane) * s.width + first + r] = s.scales[first + r] * tile[r * kLanes<T> + lane];
    });
  });
}

template <class T>
void structured_lines(const Structure<T>& s, const int32_t* order, const Rows<const T>& x,
                      const T* inverse_norms, T threshold, const double* lost, int64_t first, int64_t count,
                      double largest_norm, const DistanceCode& code, int64_t n_tabled,
                      const CodeTable& table) {
  // Slack beside the error: a few thousandths of a code for the arithmetic of the code itself.
  constexpr double unit = std::numeric_limits<T>::epsilon() / 2;
  std::vector<T> offsets(s.width);
  for (int64_t r = 0; r < s.width; ++r)
    offsets[r] = static_cast<T>(1 + code.zero - 4096 * unit -
                                code.resolution * (product_error(s, r, largest_norm) + lost[r] * (1 + 1e-6)));

  parallel_for((count + kLanes<T> - 1) / kLanes<T>, [&](int64_t group) {
    static thread_local std::vector<uint8_t> codes;  // (width, lanes)
    codes.resize(s.width * kLanes<T>);
    const int64_t i = first + group * kLanes<T>;
    const int64_t samples = std::min(kLanes<T>, first + count - i);
    T factors[kLanes<T>] = {};
    for (int64_t lane = 0; lane < samples; ++lane)
      factors[lane] = static_cast<T>(inverse_norms[i + lane] * code.resolution);
    transform_samples<T>(s, x, i, samples, [&](int64_t r, int64_t rows, const T* tile) {
      kernels<T>().tile_codes(tile, s.scales + r, offsets.data() + r, rows, factors, threshold,
                              static_cast<T>(table.highest()), codes.data() + r * kLanes<T>);
    });

    for (int64_t block = 0; block < n_tabled; ++block) {
      uint8_t by_neuron[kBlock * kLanes<T>] = {}, other[kBlock * kLanes<T>];
      const int64_t neurons = std::min(kBlock, s.width - block * kBlock);
      for (int64_t lane = 0; lane < neurons; ++lane)
        std::copy_n(codes.data() + order[block * kBlock + lane] * kLanes<T>, kLanes<T>,
                    by_neuron + lane * kLanes<T>);
      table.write(block, i, turned<kLanes<T>>(by_neuron, other), samples);
    }
  });
}

#define FEWFIRE_INSTANTIATE(T)                                                                           \
  template double product_error(const Structure<T>&, int64_t, double);                                   \
  template void structured_rows(const Structure<T>&, int64_t, const Rows<T>&);                           \
  template void structured_products(const Structure<T>&, const Rows<const T>&, T*);                      \
  template void structured_lines(const Structure<T>&, const int32_t*, const Rows<const T>&, const T*, T, \
                                 const double*, int64_t, int64_t, double, const DistanceCode&, int64_t,  \
                                 const CodeTable&);
FEWFIRE_INSTANTIATE(float)
FEWFIRE_INSTANTIATE(double)

}  // namespace fewfire
