#include "kernels/code_table.h"

#include "core/pool.h"

namespace fewfire {
namespace {

constexpr int64_t kSamples = 1024;  // looked at before the next question whether to go on

// Lowers `least` to the codes of some lines, each in its lane.
void lower(const CodeTable& table, const uint8_t* line, int64_t count, uint8_t* least) {
  uint8_t codes[kBlock];  // of its own: no other array may lie there
  std::copy_n(least, kBlock, codes);
  for (int64_t s = 0; s < count; ++s, line += table.line_bytes) {
    if (table.packed()) {
      for (int64_t l = 0; l < kBlock / 2; ++l) {
        codes[l] = std::min<uint8_t>(codes[l], line[l] & 15);
        codes[kBlock / 2 + l] = std::min<uint8_t>(codes[kBlock / 2 + l], line[l] >> 4);
      }
    } else {
      for (int64_t l = 0; l < kBlock; ++l) codes[l] = line[l] < codes[l] ? line[l] : codes[l];
    }
  }
  std::copy_n(codes, kBlock, least);
}

}  // namespace

void beyond_reach(const CodeTable& table, int64_t n_blocks, const uint8_t* reach, uint8_t* silent) {
  parallel_for(n_blocks, [&](int64_t block) {
    uint8_t least[kBlock], *of_block = silent + block * kBlock;
    std::fill_n(least, kBlock, uint8_t{255});
    bool any = true;
    for (int64_t first = 0; first < table.n_samples && any; first += kSamples) {
      lower(table, table.lines(block) + first * table.line_bytes, std::min(kSamples, table.n_samples - first),
            least);
      for (int64_t l = 0; l < kBlock; ++l) of_block[l] = least[l] > reach[block * kBlock + l];
      any = std::any_of(of_block, of_block + kBlock, [](uint8_t is) { return is != 0; });
    }
  });
}

void copy_columns(const CodeTable& table, const int64_t* from, const int64_t* to, int64_t count) {
  parallel_for((table.n_samples + kSamples - 1) / kSamples, [&](int64_t chunk) {
    const int64_t first = chunk * kSamples, end = std::min(first + kSamples, table.n_samples);
    for (int64_t j = 0; j < count; ++j) {
      const CodeColumn source(table, from[j] / kBlock, from[j] % kBlock);
      const CodeColumn target(table, to[j] / kBlock, to[j] % kBlock);
      for (int64_t s = first; s < end; ++s) target.set(s, source[s]);
    }
  });
}

}  // namespace fewfire
