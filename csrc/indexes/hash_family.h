// Hash functions of rows that lie close to each other with equal values, and how far a row must move before
// the value of one can change (docs/theory/hashing.md).
#pragma once

#include <cstdint>

#include "core/rows.h"
#include "kernels/samples.h"
#include "networks/structured.h"

namespace fewfire {

// What functions are worth on a row: values[j], and as long as the row moves by less than margins[j], the
// same. Where nothing is proven a margin is 0, negative or NaN.
struct Hashes {
  uint8_t* values;
  double* margins;

  Hashes from(int64_t j) const { return {values + j, margins + j}; }
};

template <class T>
class HashFamily {
 public:
  virtual ~HashFamily() = default;
  virtual int64_t functions() const = 0;
  virtual int bits() const = 0;  // of a value

  // The functions with these ids on one row.
  virtual void some(const T* row, const int32_t* ids, int64_t count, const Hashes& out) const = 0;

  // All functions on several rows, (rows.count, functions). Values are those of `some`; it uses all threads.
  virtual void all(const Rows<const T>& rows, const Hashes& out) const = 0;

  // How fast the margin of each function may shrink while a row moves along one of the samples: by no more
  // than speeds[f] for each unit of the way, on all threads.
  virtual void speeds(const Samples<T>& x, double* out) const = 0;
};

// On which side of a plane does the row lie? Value 1 where <p, row> > offset, by the dot kernel that decides
// who fires. The normals p are structured weights.
template <class T>
struct SignHashes final : HashFamily<T> {
  Structure<T> structure;
  Rows<const T> normals;  // of the structure, as `structured_rows` writes them
  const double* norms;    // |p|, rounded up
  const T* offsets;

  SignHashes(Structure<T> structure, Rows<const T> normals, const double* norms, const T* offsets)
      : structure(structure), normals(normals), norms(norms), offsets(offsets) {}
  int64_t functions() const override { return normals.count; }
  int bits() const override { return 1; }
  void some(const T* row, const int32_t* ids, int64_t count, const Hashes& out) const override;
  void all(const Rows<const T>& rows, const Hashes& out) const override;
  void speeds(const Samples<T>& x, double* out) const override;

 private:
  double lost(int64_t f, double norm) const;
  double margin(T product, int64_t f, double norm, double error) const;
};

// Which of a few coordinates is the largest? The value is its place in the bin, the first of several. With
// `passes_zeros` only coordinates other than 0 compete, and an empty bin borrows from the next.
template <class T>
struct WinnerHashes final : HashFamily<T> {
  const int32_t* bins;  // (functions, size)
  int64_t count, size;  // size 1 .. 8
  bool passes_zeros;

  WinnerHashes(const int32_t* bins, int64_t count, int64_t size, bool passes_zeros)
      : bins(bins), count(count), size(size), passes_zeros(passes_zeros) {}
  int64_t functions() const override { return count; }
  int bits() const override { return 3; }
  void some(const T* row, const int32_t* ids, int64_t n, const Hashes& out) const override;
  void all(const Rows<const T>& rows, const Hashes& out) const override;
  void speeds(const Samples<T>& x, double* out) const override;

 private:
  int64_t winner(const T* row, const int32_t* bin) const;
  double margin(const T* row, const int32_t* bin, int64_t winner) const;
  double speed(const T* row, const int32_t* bin) const;
};

}  // namespace fewfire
