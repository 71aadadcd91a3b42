// Which keys the queries of a tile see: query i of a sample sees keys
// [documentStart[i], causal ? i + 1 : s).
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_VISIBILITY_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_VISIBILITY_CUH

#include "kernels/cuda/attention/Parameters.cuh"

namespace orrery::kernels::cuda::flash {

ORRERY_DEVICE int visibleBegin(const Parameters &p, int sample, int query) {
  return p.documentStart ? p.documentStart[query * p.documentStrideS +
                                           sample * p.documentStrideB]
                         : 0;
}
ORRERY_DEVICE int visibleEnd(const Parameters &p, int query) {
  return p.causal ? query + 1 : p.sequence;
}

/// The queries of a tile together.
struct VisibleKeys {
  int begin;   // least begin of a query
  int end;     // greatest end
  int allFrom; // greatest begin
  int allUpTo; // least end

  /// Whether some query of the tile does not see some key of
  /// [first, first + count).
  ORRERY_DEVICE bool needsMask(int first, int count) const {
    return first < allFrom || first + count > allUpTo;
  }
};

ORRERY_DEVICE int warpLeast(int x) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) {
    const int other = shuffleXor(x, mask);
    x = other < x ? other : x;
  }
  return x;
}

/// Of queries [first, first + Tile) of a sample. Writes begins[i], the first
/// visible key of query first + i (shared memory, [Tile]; queries behind the
/// end repeat the last one). Ends with a barrier.
template <int Tile, int Threads>
ORRERY_DEVICE VisibleKeys findVisibleKeys(const Parameters &p, int sample,
                                          int first, int *begins) {
  for (int i = threadIndex(); i < Tile; i += Threads) {
    const int query = first + i < p.sequence ? first + i : p.sequence - 1;
    begins[i] = visibleBegin(p, sample, query);
  }
  syncBlock();
  const int last = first + Tile < p.sequence ? first + Tile : p.sequence;
  VisibleKeys seen = {0, visibleEnd(p, last - 1), 0, visibleEnd(p, first)};
  if (!p.documentStart)
    return seen;
  // Every warp takes the same minima; the tile has at least 32 rows.
  int least = begins[threadIndex() % 32], greatest = least;
  for (int i = threadIndex() % 32 + 32; i < Tile; i += 32) {
    least = begins[i] < least ? begins[i] : least;
    greatest = begins[i] > greatest ? begins[i] : greatest;
  }
  seen.begin = warpLeast(least);
  seen.allFrom = -warpLeast(-greatest);
  return seen;
}

/// Of the tiles of `tile` queries from tile `from` on: the first and behind the
/// last one in which some query sees a key of [firstKey, endKey). Each thread
/// looks at some queries; `shared` is two ints per warp. Ends with a barrier.
template <int Threads>
ORRERY_DEVICE void findSeeingTiles(const Parameters &p, int sample,
                                   int firstKey, int endKey, int tile,
                                   int *shared, int &begin, int &end) {
  begin = p.causal ? firstKey / tile : 0;
  end = tilesOf(p.sequence, tile);
  if (!p.documentStart)
    return;
  int least = end, last = -1;
  for (int i = begin * tile + threadIndex(); i < p.sequence; i += Threads) {
    if (visibleBegin(p, sample, i) >= endKey || visibleEnd(p, i) <= firstKey)
      continue;
    const int t = i / tile;
    least = t < least ? t : least;
    last = t > last ? t : last;
  }
  least = warpLeast(least);
  last = -warpLeast(-last);
  if (threadIndex() % 32 == 0) {
    shared[threadIndex() / 32 * 2] = least;
    shared[threadIndex() / 32 * 2 + 1] = last;
  }
  syncBlock();
#pragma unroll
  for (int warp = 0; warp < Threads / 32; ++warp) {
    least = shared[warp * 2] < least ? shared[warp * 2] : least;
    last = shared[warp * 2 + 1] > last ? shared[warp * 2 + 1] : last;
  }
  begin = least;
  end = last + 1; // at most `begin` when no query sees these keys
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_VISIBILITY_CUH
