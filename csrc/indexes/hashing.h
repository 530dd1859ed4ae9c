// Tables of hash codes: neurons whose code is that of an input lie in one bucket (docs/theory/hashing.md).
#pragma once

#include <cstdint>

#include "indexes/hash_family.h"
#include "networks/descent.h"
#include "networks/weights.h"

namespace fewfire {

// A code is made of `together` functions. As arrays that the Python side made.
struct HashTables {
  int64_t count, together;
  int64_t buckets;       // of a table
  int64_t width;         // m
  uint32_t* codes;       // (count, m)
  int32_t* begins;       // (count, buckets + 1) the neurons of bucket c of a table are ids[begins[c]], ..
  int32_t* ids;          // (count, m)
  uint8_t* lives;        // (blocks, functions, 64) for how much of its way a value is proven; null: not kept
  double* ways;          // (m) how far each neuron has gone since its lives were counted from 0
  double* norms;         // (m) bounds on |w|
  const double* speeds;  // (functions) at which margins shrink on the way, kSlowest at least
  double unit;           // of lives

  int64_t functions() const { return count * together; }
};

// The codes of rows, (tables.count, rows.count).
template <class T>
void hash_codes(const HashFamily<T>& family, int64_t together, const Rows<const T>& rows, uint32_t* codes);

// Hashes all neurons anew.
template <class T>
void hash_neurons(const HashFamily<T>& family, const HashTables& tables, const Weights<T>& w);

// Takes in how a step moved the neurons along the samples of a batch, and hashes anew what may have changed:
// no neuron coasts. Returns how many values of functions that are.
template <class T>
int64_t hash_moved(const HashFamily<T>& family, const HashTables& tables, const Weights<T>& w,
                   const Step<T>& step, const Samples<T>& batch);

// The speeds of moves along these samples, none below kSlowest.
constexpr double kSlowest = 0.01;
template <class T>
void hash_speeds(const HashFamily<T>& family, const Samples<T>& x, double* speeds);

// rows[i]: a bit for each neuron (words of 64) that lies with input i in the bucket of some table.
// `codes` are those of n inputs.
void bucket_union(const HashTables& tables, const uint32_t* codes, int64_t n, uint64_t* rows);

}  // namespace fewfire
