// The table of the drift index: for each block of 64 neurons and each sample a line of 64 codes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/kernels.h"

namespace fewfire {

// The code of a distance to firing: 0 says nothing; code c > 0 proves a distance of at least
// (c - 1 - zero) / resolution. `zero` codes are kept for pairs that already fire by a little.
struct DistanceCode {
  double resolution;
  double zero;
};

struct CodeTable {
  uint8_t* data;  // (n_blocks, n_samples, line_bytes)
  int64_t n_samples;
  int64_t line_bytes;  // 64: a byte a code. 32: half a byte; byte l holds code l, and code 32 + l above it.

  bool packed() const { return line_bytes < kBlock; }
  int64_t highest() const { return packed() ? 15 : 255; }  // code
  uint8_t* lines(int64_t block) const { return data + block * n_samples * line_bytes; }

  // Writes codes (count, 64) as the lines of a block for the samples first, first + 1, ..
  void write(int64_t block, int64_t first, const uint8_t* codes, int64_t count) const {
    uint8_t* line = lines(block) + first * line_bytes;
    if (!packed()) {
      std::copy_n(codes, count * kBlock, line);
      return;
    }
    for (int64_t s = 0; s < count; ++s, line += line_bytes, codes += kBlock)
      for (int64_t l = 0; l < kBlock / 2; ++l)
        line[l] = static_cast<uint8_t>(codes[l] | codes[kBlock / 2 + l] << 4);
  }
};

// The codes of one neuron of a block, sample by sample.
class CodeColumn {
 public:
  CodeColumn(const CodeTable& table, int64_t block, int64_t lane)
      : first_(table.lines(block) + lane % table.line_bytes),
        line_bytes_(table.line_bytes),
        shift_(static_cast<int>(lane / table.line_bytes * 4)),
        highest_(static_cast<int>(table.highest())) {}
  int operator[](int64_t sample) const { return first_[sample * line_bytes_] >> shift_ & highest_; }

  void set(int64_t sample, int code) const {
    uint8_t& byte = first_[sample * line_bytes_];
    byte = static_cast<uint8_t>((byte & ~(highest_ << shift_)) | code << shift_);
  }

 private:
  uint8_t* first_;
  int64_t line_bytes_;
  int shift_, highest_;
};

// Which neurons of the first n_blocks have only codes beyond their reach: 1 each, else 0. A block whose
// neurons are all within reach somewhere is left as soon as that is seen.
void beyond_reach(const CodeTable& table, int64_t n_blocks, const uint8_t* reach, uint8_t* silent);

// Gives the codes of the neurons at `from` to those at `to`, which are others.
void copy_columns(const CodeTable& table, const int64_t* from, const int64_t* to, int64_t count);

}  // namespace fewfire
