// One leaf kernel with one instruction set, some times over: what benchmarks/arm.py counts the instructions
// of.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kernels/instruction_set.h"
#include "kernels/kernels.h"

using namespace fewfire;

namespace {

constexpr int64_t kFeatures = 800, kSamples = 64, kSketch = 32, kPairs = 64, kMoves = 8, kTile = 1024;

template <class T>
struct Numbers {  // aligned as the arrays of a network are
  T* data;
  explicit Numbers(int64_t size)
      : data(static_cast<T*>(std::aligned_alloc(64, (size * sizeof(T) + 63) / 64 * 64))) {
    for (int64_t i = 0; i < size; ++i) data[i] = static_cast<T>(i % 61);
  }
};

}  // namespace

int main(int, char** argv) {
  const std::string name = argv[1];
  use_instruction_set(argv[2]);
  const Kernels<float>& kernel = kernels<float>();
  Numbers<float> w(kBlock * kFeatures), x(kSamples * kFeatures), out(kSamples * kBlock * kTerms);
  Numbers<float> terms(kBlock * kTerms), x_terms(kSamples * kTerms), signs(kTile), tile(kTile * 16);
  Numbers<int16_t> codes(kSamples * kFeatures), words(kBlock * kFeatures);
  Numbers<int8_t> bytes(kBlock * kFeatures);
  Numbers<uint8_t> x_bytes(kSamples * kFeatures), lines(kSamples * kBlock), reach(kBlock);
  Numbers<int32_t> sums(kSamples * kBlock), offsets(kBlock);
  std::vector<uint64_t> masks(kSamples);
  std::vector<uint8_t> lanes(kPairs);
  std::vector<int32_t> ids(kPairs);
  const float* rows[kBlock];
  for (int64_t j = 0; j < kPairs; ++j) {
    ids[j] = static_cast<int32_t>((7 * j) % kSamples);
    lanes[j] = static_cast<uint8_t>(j / 4);
  }
  for (int64_t r = 0; r < kBlock; ++r) rows[r] = w.data + r * kFeatures;
  const std::map<std::string, std::function<void()>> calls{
      {"dots that decide",
       [&] {
         kernel.pair_dots_coded(rows, lanes.data(), codes.data, kFeatures, ids.data(), kPairs, out.data);
       }},
      {"moves",
       [&] {
         kernel.move_row_coded(w.data, w.data + kFeatures, codes.data, kFeatures, ids.data(), x.data, kMoves);
       }},
      {"filters",
       [&] { kernel.within_reach(lines.data, reach.data, ~uint64_t{0}, ids.data(), kPairs, masks.data()); }},
      {"sketch tests", [&] { kernel.dots(w.data, x.data, kSketch, ids.data(), kPairs, out.data); }},
      {"products of words",
       [&] { kernel.word_products(words.data, codes.data, kFeatures, kSamples, sums.data); }},
      {"products of bytes",
       [&] {
         kernel.upper_bounds(bytes.data, offsets.data, terms.data, x_bytes.data, x_terms.data, kFeatures,
                             kSamples, out.data);
       }},
      {"Hadamard products", [&] { kernel.hadamard(tile.data, tile.data, kTile, signs.data); }},
  };
  for (int times = std::atoi(argv[3]); times > 0; --times) calls.at(name)();
  return 0;
}
