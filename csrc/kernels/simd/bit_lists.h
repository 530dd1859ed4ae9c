// Lists of the bits that are set, one by one: for instruction sets that cannot compress a vector. Like the
// vec_ files, it is included inside the namespace of one set.

// first + the place of each bit that is set, ascending; returns how many.
inline int64_t bits_of(uint64_t bits, int32_t first, int32_t* ids) {
  int64_t count = 0;
  for (; bits != 0; bits &= bits - 1) ids[count++] = first + __builtin_ctzll(bits);
  return count;
}

// Those of 16 ids whose bit is set, in their order; returns how many. 16 may be overwritten. Without
// branches: they could not be foreseen.
inline int64_t masked(const int32_t* ids, uint16_t bits, int32_t* out) {
  int64_t count = 0;
  for (int lane = 0; lane < 16; ++lane) {
    out[count] = ids[lane];
    count += bits >> lane & 1;
  }
  return count;
}
