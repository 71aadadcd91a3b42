// One 64×64 tile of attention, transposed: row = key, lane = query.
#ifndef ORRERY_KERNELS_CPU_ATTENTION_TILE_H
#define ORRERY_KERNELS_CPU_ATTENTION_TILE_H

#include "kernels/AttentionArguments.h"
#include "kernels/cpu/attention/PhiloxLanes.h"
#include "kernels/cpu/attention/TileProduct.h"

namespace orrery::kernels::ORRERY_ISA {

constexpr int kTile = 64; // queries and keys of a tile
constexpr double kLog2E = 1.4426950408889634074;
constexpr float kHidden = -1e30f; // stands for minus infinity, but finite

/// The dimension rounded up to whole vectors of the widest instruction set.
ORRERY_INLINE int64_t paddedDim(int64_t dim) { return (dim + 15) / 16 * 16; }

/// One head of one sample: rows are sequence positions.
struct HeadRows {
  float *data;
  int64_t stride;
};
ORRERY_INLINE HeadRows headRows(const AttentionTensor &t, int64_t b,
                                int64_t n) {
  return {static_cast<float *>(t.data) + b * t.strideB + n * t.strideN,
          t.strideS};
}

/// Copies rows [first, first + count) to `out`, [count, padded] row-major, zero
/// behind dim.
ORRERY_INLINE void packRows(HeadRows in, int64_t first, int count, int64_t dim,
                            int64_t padded, float *out) {
  for (int r = 0; r < count; ++r) {
    const float *row = in.data + (first + r) * in.stride;
    for (int64_t i = 0; i < dim; ++i)
      out[r * padded + i] = row[i];
    for (int64_t i = dim; i < padded; ++i)
      out[r * padded + i] = 0;
  }
}

/// Transposes packed rows to [dim, kTile], zero behind `count`.
ORRERY_INLINE void transposeRows(const float *rows, int count, int64_t dim,
                                 int64_t padded, float *out) {
  for (int64_t i = 0; i < dim; ++i)
    for (int r = 0; r < kTile; ++r)
      out[i * kTile + r] = r < count ? rows[r * padded + i] : 0.0f;
}

/// Which keys the queries of a tile see: lane q sees keys
/// [begin[q], end[q]) of the whole sequence.
struct Visibility {
  int32_t begin[kTile];
  int32_t end[kTile];
  int32_t firstKey; // least begin
  int32_t lastKey;  // greatest end
  int32_t allFrom;  // greatest begin
  int32_t allUpTo;  // least end
};

static void findVisibility(const AttentionShape &shape, int64_t sample,
                           int64_t firstQuery, int queries, Visibility &seen) {
  seen.firstKey = seen.allUpTo = static_cast<int32_t>(shape.sequence);
  seen.lastKey = seen.allFrom = 0;
  for (int q = 0; q < kTile; ++q) {
    // Lanes behind the end repeat the last query; their results are dropped.
    int64_t query = firstQuery + (q < queries ? q : queries - 1);
    int32_t begin = 0;
    if (shape.documentStart)
      begin = shape.documentStart[query * shape.documentStrideS +
                                  sample * shape.documentStrideB];
    int32_t end =
        static_cast<int32_t>(shape.causal ? query + 1 : shape.sequence);
    seen.begin[q] = begin;
    seen.end[q] = end;
    seen.firstKey = begin < seen.firstKey ? begin : seen.firstKey;
    seen.lastKey = end > seen.lastKey ? end : seen.lastKey;
    seen.allFrom = begin > seen.allFrom ? begin : seen.allFrom;
    seen.allUpTo = end < seen.allUpTo ? end : seen.allUpTo;
  }
}

/// Whether some query does not see some key of [first, first + count).
ORRERY_INLINE bool needsMask(const Visibility &seen, int64_t first, int count) {
  return first < seen.allFrom || first + count > seen.allUpTo;
}

/// Mask of lanes [lane, lane + kLanes) that see `key`.
ORRERY_INLINE Ints seesKey(const Visibility &seen, int lane, int32_t key) {
  Ints begin, end;
  __builtin_memcpy(&begin, seen.begin + lane, sizeof(Ints));
  __builtin_memcpy(&end, seen.end + lane, sizeof(Ints));
  return (begin <= key) & (end > key);
}

/// The random elements of lane q of a tile: index of its key 0.
struct DropoutTile {
  DropoutLanes lanes;
  uint64_t queryStart; // element index of (first query, key 0)
  uint64_t sequence;

  /// Factors of keys [firstKey, firstKey + keys) to [keys, kTile].
  void factors(int64_t firstKey, int keys, float *out) const {
    for (int lane = 0; lane < kTile; lane += kLanes) {
      uint64_t first[kLanes];
      for (int i = 0; i < kLanes; ++i)
        first[i] = queryStart + (lane + i) * sequence + firstKey;
      dropoutFactors(lanes, first, keys, out + lane, kTile);
    }
  }
};

ORRERY_INLINE DropoutTile dropoutTile(const AttentionShape &shape, int64_t b,
                                      int64_t n, int64_t firstQuery) {
  uint64_t s = static_cast<uint64_t>(shape.sequence);
  uint64_t row = static_cast<uint64_t>(shape.sample + b) * shape.totalHeads +
                 shape.head + n;
  return {{shape.randomKey,
           static_cast<uint32_t>(
               static_cast<uint64_t>(shape.dropout * 4294967296.0)),
           static_cast<float>(1.0 / (1.0 - shape.dropout))},
          (row * s + firstQuery) * s,
          s};
}

} // namespace orrery::kernels::ORRERY_ISA

#endif // ORRERY_KERNELS_CPU_ATTENTION_TILE_H
