// gradQ in 16 bits on tensor cores: one block of four warps per tile of queries
// of a head, keys tile by tile (equations: FmaBackward.cuh).
//
//   shared memory    q, gradO [16 * Blocks * 4, D]    two of k, v [N, D]
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_MMAGRADQ_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_MMAGRADQ_CUH

#include "kernels/cuda/attention/MmaForward.cuh"

namespace orrery::kernels::cuda::flash {

template <int D> struct MmaGradQSize {
  static constexpr int kBlocks = D > 128 ? 1 : 2;
  static constexpr int kWarpRows = 16 * kBlocks;
  static constexpr int kRows = kWarpRows * kMmaWarps;
  static constexpr int kColumns = 32;
};

template <class T, int D> constexpr int mmaGradQBytes() {
  using Size = MmaGradQSize<D>;
  return tileBytes<T, D>(2 * Size::kRows + 4 * Size::kColumns) +
         Size::kRows * static_cast<int>(sizeof(int));
}

/// gradS, rounded, of a warp's queries and the keys from `key` on.
template <class T, bool Drops, int Blocks, int Columns>
ORRERY_DEVICE void
differentiateQueries(const Parameters &p, const Dropout<Drops> &dropout,
                     const Statistics (&statistics)[Blocks][2],
                     const Accumulator<Blocks, Columns> &scores,
                     const Accumulator<Blocks, Columns> &grads,
                     Weights<Blocks, Columns / 2> &weights, int query,
                     int key) {
#pragma unroll
  for (int m = 0; m < Blocks; ++m)
#pragma unroll
    for (int n = 0; n < Columns; ++n) {
      uint32_t keep = ~0u;
      if (dropout.on())
        keep =
            dropout.keepQueriesByKeys(laneIndex(), query + m * 16, key + n * 8);
      float c[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const Statistics &s = statistics[m][e / 2];
        const float probability = exp2Fast(
            fusedMultiplyAdd(scores.values[m][n][e], p.scale2, -s.lse2));
        const bool kept = keep >> (e / 2 * 4 + e % 2) & 1;
        const float grad = kept ? grads.values[m][n][e] * p.keepScale : 0.0f;
        c[e] = probability * (grad - s.dot);
      }
      weights.template set<T>(m, n, c[0], c[1], c[2], c[3]);
    }
}

template <class T, int D, bool Drops>
ORRERY_KERNEL(kMmaThreads, (kResident<D, Drops>))
mmaGradQ(Parameters p) {
  using Size = MmaGradQSize<D>;
  constexpr int kColumns = Size::kColumns, kBlocks = Size::kBlocks;
  constexpr int kStride = kTileStride<T, D>;
  T *q = reinterpret_cast<T *>(sharedMemory());
  T *gradO = q + Size::kRows * kStride;
  T *k = gradO + Size::kRows * kStride; // two
  T *v = k + 2 * kColumns * kStride;    // two
  int *begins = reinterpret_cast<int *>(v + 2 * kColumns * kStride);

  const Task task = blockTask(p, tilesOf(p.sequence, Size::kRows), p.causal);
  const int query = task.tile * Size::kRows;
  const int warpRow = warpIndex() * Size::kWarpRows;
  const HeadRows<T> keys(p.k, task), values(p.v, task);
  const Dropout<Drops> dropout(p, task);
  const VisibleKeys seen =
      findVisibleKeys<Size::kRows, kMmaThreads>(p, task.sample, query, begins);
  const int begin = seen.begin / kColumns * kColumns;
  T *warpQ = q + warpRow * kStride;
  const T *warpGradO = gradO + warpRow * kStride;
  Statistics statistics[kBlocks][2];
#pragma unroll
  for (int m = 0; m < kBlocks; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      statistics[m][half] =
          p.statistics[headIndex(p, task) * p.paddedSequence + query + warpRow +
                       m * 16 + half * 8 + laneIndex() / 4];
  Accumulator<kBlocks, D / 8> gradQ;
  gradQ.clear();

  auto startKeys = [&](int key, int stage) {
    startLoad<kColumns, D, kMmaThreads>(k + stage * kColumns * kStride, keys,
                                        key, p.sequence, p.dim);
    startLoad<kColumns, D, kMmaThreads>(v + stage * kColumns * kStride, values,
                                        key, p.sequence, p.dim);
    commitCopies();
  };
  if (begin < seen.end) {
    startLoad<Size::kRows, D, kMmaThreads>(q, HeadRows<T>(p.q, task), query,
                                           p.sequence, p.dim);
    startLoad<Size::kRows, D, kMmaThreads>(gradO, HeadRows<T>(p.gradO, task),
                                           query, p.sequence, p.dim);
    startKeys(begin, 0);
  }
  int stage = 0;
  for (int key = begin; key < seen.end; key += kColumns, stage ^= 1) {
    waitCopies<0>();
    syncBlock(); // this stage is there; everyone is done with the other one
    if (key + kColumns < seen.end)
      startKeys(key + kColumns, stage ^ 1);
    const T *tileK = k + stage * kColumns * kStride;
    Accumulator<kBlocks, kColumns / 8> scores, grads;
    rowsTimesRows<D>(scores, warpQ, tileK);
    rowsTimesRows<D>(grads, warpGradO, v + stage * kColumns * kStride);
    if (seen.needsMask(key, kColumns))
      hideScores(p, scores, begins + warpRow, query + warpRow, key);
    Weights<kBlocks, kColumns / 16> weights;
    differentiateQueries<T>(p, dropout, statistics, scores, grads, weights,
                            query + warpRow, key);
    addProduct<D>(gradQ, weights, tileK);
  }
  gradQ.multiply(p.scale);
  storeRows<D>(gradQ, warpQ, HeadRows<T>(p.gradQ, task), query + warpRow,
               p.sequence, p.dim);
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_MMAGRADQ_CUH
