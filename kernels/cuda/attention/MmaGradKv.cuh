// gradK and gradV in 16 bits on tensor cores: one block of four warps per tile
// of keys of a head, queries tile by tile (equations: FmaBackward.cuh). Scores
// are keys × queries, so that P^T and gradS^T are left operands as they are.
//
//   shared memory    k, v [16 * Blocks * 4, D]
//                    two of q, gradO [N, D], statistics [N], begins [N]
//
// Rows of 256 leave no registers for both sums: then two launches, one for
// each, and the scores are computed twice.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_MMAGRADKV_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_MMAGRADKV_CUH

#include "kernels/cuda/attention/Dropout.cuh"
#include "kernels/cuda/attention/MmaTile.cuh"
#include "kernels/cuda/attention/Visibility.cuh"

namespace orrery::kernels::cuda::flash {

/// Which gradients a launch computes.
enum class KeyGrads { Both, K, V };

template <int D> struct MmaGradKvSize {
  static constexpr int kBlocks = D == 64 ? 2 : 1;
  static constexpr int kWarpRows = 16 * kBlocks;
  static constexpr int kRows = kWarpRows * kMmaWarps;
  static constexpr int kColumns = D == 64 || D == 256 ? 32 : 64;
};

// One of the two buffers of what belongs to a tile of queries.
template <class T, int D> struct QueryStage {
  static constexpr int kColumns = MmaGradKvSize<D>::kColumns;
  static constexpr int kTileElements = kColumns * kTileStride<T, D>;

  alignas(16) T q[kTileElements];
  alignas(16) T gradO[kTileElements];
  alignas(16) Statistics statistics[kColumns];
  alignas(16) int begins[kColumns];
};

template <class T, int D> constexpr int mmaGradKvBytes() {
  return tileBytes<T, D>(2 * MmaGradKvSize<D>::kRows) +
         2 * static_cast<int>(sizeof(QueryStage<T, D>));
}

/// Starts loading queries [first, first + kColumns) of a head.
template <class T, int D>
ORRERY_DEVICE void startQueries(const Parameters &p, const Task &task,
                                QueryStage<T, D> &stage, int first) {
  constexpr int kColumns = MmaGradKvSize<D>::kColumns;
  startLoad<kColumns, D, kMmaThreads>(stage.q, HeadRows<T>(p.q, task), first,
                                      p.sequence, p.dim);
  startLoad<kColumns, D, kMmaThreads>(stage.gradO, HeadRows<T>(p.gradO, task),
                                      first, p.sequence, p.dim);
  const int i = threadIndex();
  if (i < kColumns) {
    copyAsync8(
        &stage.statistics[i],
        &p.statistics[headIndex(p, task) * p.paddedSequence + first + i]);
    if (p.documentStart)
      stage.begins[i] =
          first + i < p.sequence ? visibleBegin(p, task.sample, first + i) : 0;
  }
  commitCopies();
}

/// Minus infinity where a query does not see a key of the warp; `key`, `query`:
/// the first row and column. Queries behind the end need no mask: their lse2
/// makes their probabilities 0.
template <int Blocks, int Columns>
ORRERY_DEVICE void hideKeys(const Parameters &p,
                            Accumulator<Blocks, Columns> &scores,
                            const int *begins, int key, int query) {
  const int lane = laneIndex();
#pragma unroll
  for (int n = 0; n < Columns; ++n)
#pragma unroll
    for (int x = 0; x < 2; ++x) {
      const int column = n * 8 + lane % 4 * 2 + x;
      const int begin = p.documentStart ? begins[column] : 0;
      const int end = visibleEnd(p, query + column);
#pragma unroll
      for (int m = 0; m < Blocks; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int row = key + m * 16 + half * 8 + lane / 4;
          if (row < begin || row >= end)
            scores.values[m][n][half * 2 + x] = -infinity();
        }
    }
}

/// Whether some query of a stage may not see some key of the warp.
template <int Columns>
ORRERY_DEVICE bool needsKeyMask(const Parameters &p, const int *begins,
                                int firstKey, int lastKey, int query) {
  bool needs = p.causal && query < lastKey;
  if (p.documentStart)
#pragma unroll
    for (int i = 0; i < Columns; i += 32)
      needs |= begins[i + laneIndex()] > firstKey;
  return anyLane(needs);
}

/// From scores and gradients of the kept probabilities, both keys × queries,
/// to P^T after dropout without its factor and gradS^T, both rounded.
template <class T, KeyGrads Which, bool Drops, int Blocks, int Columns>
ORRERY_DEVICE void
differentiateKeys(const Parameters &p, const Dropout<Drops> &dropout,
                  const Statistics *statistics,
                  const Accumulator<Blocks, Columns> &scores,
                  const Accumulator<Blocks, Columns> &grads,
                  Weights<Blocks, Columns / 2> &kept,
                  Weights<Blocks, Columns / 2> &gradS, int key, int query) {
#pragma unroll
  for (int n = 0; n < Columns; ++n) {
    // lse2 and dot of the two queries of this lane.
    const Chunk<float> s = *reinterpret_cast<const Chunk<float> *>(
        statistics + n * 8 + laneIndex() % 4 * 2);
#pragma unroll
    for (int m = 0; m < Blocks; ++m) {
      uint32_t keep = ~0u;
      if (dropout.on())
        keep =
            dropout.keepKeysByQueries(laneIndex(), key + m * 16, query + n * 8);
      float c[4], g[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const bool keeps = keep >> (4 * e) & 1;
        const float probability = exp2Fast(fusedMultiplyAdd(
            scores.values[m][n][e], p.scale2, -s.values[e % 2 * 2]));
        c[e] = keeps ? probability : 0.0f;
        if (Which != KeyGrads::V)
          g[e] = probability *
                 ((keeps ? grads.values[m][n][e] * p.keepScale : 0.0f) -
                  s.values[e % 2 * 2 + 1]);
      }
      if (Which != KeyGrads::K)
        kept.template set<T>(m, n, c[0], c[1], c[2], c[3]);
      if (Which != KeyGrads::V)
        gradS.template set<T>(m, n, g[0], g[1], g[2], g[3]);
    }
  }
}

template <class T, int D, KeyGrads Which, bool Drops>
ORRERY_KERNEL(kMmaThreads, 2)
mmaGradKv(Parameters p) {
  using Size = MmaGradKvSize<D>;
  using Stage = QueryStage<T, D>;
  constexpr int kColumns = Size::kColumns, kBlocks = Size::kBlocks;
  constexpr int kStride = kTileStride<T, D>;
  T *k = reinterpret_cast<T *>(sharedMemory());
  T *v = k + Size::kRows * kStride;
  Stage *stages = reinterpret_cast<Stage *>(v + Size::kRows * kStride);

  const Task task = blockTask(p, tilesOf(p.sequence, Size::kRows), false);
  const int firstKey = task.tile * Size::kRows;
  const int warpRow = warpIndex() * Size::kWarpRows;
  const int warpKey = firstKey + warpRow;
  const Dropout<Drops> dropout(p, task);
  // Both stages' begins are free yet: room for the search.
  int begin, end;
  findSeeingTiles<kMmaThreads>(p, task.sample, firstKey, firstKey + Size::kRows,
                               kColumns, stages[1].begins, begin, end);
  T *warpK = k + warpRow * kStride, *warpV = v + warpRow * kStride;
  Accumulator<kBlocks, D / 8> gradK, gradV;
  gradK.clear();
  gradV.clear();

  if (begin < end) {
    startLoad<Size::kRows, D, kMmaThreads>(k, HeadRows<T>(p.k, task), firstKey,
                                           p.sequence, p.dim);
    startLoad<Size::kRows, D, kMmaThreads>(v, HeadRows<T>(p.v, task), firstKey,
                                           p.sequence, p.dim);
    startQueries(p, task, stages[0], begin * kColumns);
  }
  int current = 0;
  for (int tile = begin; tile < end; ++tile, current ^= 1) {
    const int query = tile * kColumns;
    waitCopies<0>();
    syncBlock(); // this stage is there; everyone is done with the other one
    if (tile + 1 < end)
      startQueries(p, task, stages[current ^ 1], query + kColumns);
    const Stage &stage = stages[current];
    Accumulator<kBlocks, kColumns / 8> scores, grads;
    rowsTimesRows<D>(scores, warpK, stage.q);
    if (Which != KeyGrads::V)
      rowsTimesRows<D>(grads, warpV, stage.gradO);
    if (needsKeyMask<kColumns>(p, stage.begins, warpKey,
                               warpKey + Size::kWarpRows - 1, query))
      hideKeys(p, scores, stage.begins, warpKey, query);
    Weights<kBlocks, kColumns / 16> kept, gradS;
    differentiateKeys<T, Which>(p, dropout, stage.statistics, scores, grads,
                                kept, gradS, warpKey, query);
    if (Which != KeyGrads::K)
      addProduct<D>(gradV, kept, stage.gradO);
    if (Which != KeyGrads::V)
      addProduct<D>(gradK, gradS, stage.q);
  }
  if (Which != KeyGrads::K) {
    gradV.multiply(p.keepScale);
    storeRows<D>(gradV, warpV, HeadRows<T>(p.gradV, task), warpKey, p.sequence,
                 p.dim);
  }
  if (Which != KeyGrads::V) {
    gradK.multiply(p.scale);
    storeRows<D>(gradK, warpK, HeadRows<T>(p.gradK, task), warpKey, p.sequence,
                 p.dim);
  }
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_MMAGRADKV_CUH
