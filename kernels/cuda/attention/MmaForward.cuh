// Forward in 16 bits on tensor cores: one block of four warps per tile of
// queries of a head, keys tile by tile. Scores, probabilities and the output
// stay in the registers of the warp that owns the queries.
//
//   shared memory    q [16 * Blocks * 4, D]   k [64, D]   v [64, D]
//
// k and v have one buffer each: v arrives during q k^T, the next k during the
// softmax and P v; other blocks of the multiprocessor fill what is left.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_MMAFORWARD_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_MMAFORWARD_CUH

#include "kernels/cuda/attention/Dropout.cuh"
#include "kernels/cuda/attention/MmaTile.cuh"
#include "kernels/cuda/attention/Visibility.cuh"

namespace orrery::kernels::cuda::flash {

/// Sizes for rows of `D` elements, zero behind the tensors' d.
template <int D> struct MmaForwardSize {
  static constexpr int kBlocks = D > 128 ? 1 : 2; // of 16 rows, per warp
  static constexpr int kWarpRows = 16 * kBlocks;
  static constexpr int kRows = kWarpRows * kMmaWarps;
  static constexpr int kColumns = 64;
};

/// Blocks of a multiprocessor, of the kernels that own queries: a third where
/// registers allow it.
template <int D, bool Drops>
constexpr int kResident = D == 64 && !Drops ? 3 : 2;

template <class T, int D> constexpr int mmaForwardBytes() {
  using Size = MmaForwardSize<D>;
  return tileBytes<T, D>(Size::kRows + 2 * Size::kColumns) +
         Size::kRows * static_cast<int>(sizeof(int));
}

/// Minus infinity where a query of the warp does not see a key. `begins`,
/// `query`: of the warp's first row; `key`: of the first column.
template <int Blocks, int Columns>
ORRERY_DEVICE void hideScores(const Parameters &p,
                              Accumulator<Blocks, Columns> &scores,
                              const int *begins, int query, int key) {
  const int lane = laneIndex();
#pragma unroll
  for (int m = 0; m < Blocks; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = m * 16 + half * 8 + lane / 4;
      const int begin = begins[row];
      int end = visibleEnd(p, query + row);
      end = end < p.sequence ? end : p.sequence;
#pragma unroll
      for (int n = 0; n < Columns; ++n)
#pragma unroll
        for (int x = 0; x < 2; ++x) {
          const int column = key + n * 8 + lane % 4 * 2 + x;
          if (column < begin || column >= end)
            scores.values[m][n][half * 2 + x] = -infinity();
        }
    }
}

/// Running softmax of a lane's rows: row block m, half h is row
/// 16m + 8h + lane / 4 of the warp; the four lanes of a row agree.
template <int Blocks> struct MmaSoftmax {
  float maximum[Blocks][2]; // of scores
  float sum[Blocks][2];     // of this lane's columns alone, until the end

  ORRERY_DEVICE MmaSoftmax() {
#pragma unroll
    for (int m = 0; m < Blocks; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        maximum[m][half] = -infinity();
        sum[m][half] = 0;
      }
  }

  /// scores := 2^(scale2 * (scores - maximum)); scales what `out` summed
  /// before to the new maximum.
  template <int Columns, int OutColumns>
  ORRERY_DEVICE void advance(Accumulator<Blocks, Columns> &scores,
                             Accumulator<Blocks, OutColumns> &out,
                             float scale2) {
#pragma unroll
    for (int m = 0; m < Blocks; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float top = maximum[m][half];
#pragma unroll
        for (int n = 0; n < Columns; ++n)
          top = largest(top, largest(scores.values[m][n][half * 2],
                                     scores.values[m][n][half * 2 + 1]));
        top = largest(top, shuffleXor(top, 1));
        top = largest(top, shuffleXor(top, 2));
        // While nothing is visible the maximum is -infinity: any finite base.
        const float base = top == -infinity() ? 0.0f : top * scale2;
        const float rescale =
            exp2Fast(fusedMultiplyAdd(maximum[m][half], scale2, -base));
        maximum[m][half] = top;
        float total = 0;
#pragma unroll
        for (int n = 0; n < Columns; ++n)
#pragma unroll
          for (int x = 0; x < 2; ++x) {
            float &score = scores.values[m][n][half * 2 + x];
            score = exp2Fast(fusedMultiplyAdd(score, scale2, -base));
            total += score;
          }
        sum[m][half] = sum[m][half] * rescale + total;
#pragma unroll
        for (int n = 0; n < OutColumns; ++n)
#pragma unroll
          for (int x = 0; x < 2; ++x)
            out.values[m][n][half * 2 + x] *= rescale;
      }
  }

  /// Divides `out` by the sums, times `factor`, and writes lse of the rows
  /// before `rows`.
  template <int OutColumns>
  ORRERY_DEVICE void finish(Accumulator<Blocks, OutColumns> &out, float *lse,
                            int rows, float scale2, float factor) {
#pragma unroll
    for (int m = 0; m < Blocks; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float total = sum[m][half];
        total += shuffleXor(total, 1);
        total += shuffleXor(total, 2);
        // Zero where nothing is visible; NaN must reach the output.
        const float inverse = total == 0 ? 0.0f : factor / total;
#pragma unroll
        for (int n = 0; n < OutColumns; ++n)
#pragma unroll
          for (int x = 0; x < 2; ++x)
            out.values[m][n][half * 2 + x] *= inverse;
        const int row = m * 16 + half * 8 + laneIndex() / 4;
        if (laneIndex() % 4 == 0 && row < rows)
          lse[row] = total == 0
                         ? -infinity()
                         : (maximum[m][half] * scale2 + log2Exact(total)) *
                               static_cast<float>(kLn2);
      }
  }
};

/// Zeroes the probabilities that dropout drops and rounds all.
template <class T, bool Drops, int Blocks, int Columns>
ORRERY_DEVICE void dropAndRound(const Dropout<Drops> &dropout,
                                const Accumulator<Blocks, Columns> &scores,
                                Weights<Blocks, Columns / 2> &weights,
                                int query, int key) {
#pragma unroll
  for (int m = 0; m < Blocks; ++m)
#pragma unroll
    for (int n = 0; n < Columns; ++n) {
      const float (&c)[4] = scores.values[m][n];
      if (!dropout.on()) {
        weights.template set<T>(m, n, c[0], c[1], c[2], c[3]);
        continue;
      }
      const uint32_t keep =
          dropout.keepQueriesByKeys(laneIndex(), query + m * 16, key + n * 8);
      weights.template set<T>(m, n, keep & 1 ? c[0] : 0, keep & 2 ? c[1] : 0,
                              keep & 16 ? c[2] : 0, keep & 32 ? c[3] : 0);
    }
}

template <class T, int D, bool Drops>
ORRERY_KERNEL(kMmaThreads, (kResident<D, Drops>))
mmaForward(Parameters p) {
  using Size = MmaForwardSize<D>;
  constexpr int kColumns = Size::kColumns;
  T *q = reinterpret_cast<T *>(sharedMemory());
  T *k = q + Size::kRows * kTileStride<T, D>;
  T *v = k + kColumns * kTileStride<T, D>;
  int *begins = reinterpret_cast<int *>(v + kColumns * kTileStride<T, D>);

  const Task task = blockTask(p, tilesOf(p.sequence, Size::kRows), p.causal);
  const int query = task.tile * Size::kRows;
  const int warpRow = warpIndex() * Size::kWarpRows;
  const HeadRows<T> keys(p.k, task), values(p.v, task);
  const Dropout<Drops> dropout(p, task);
  const VisibleKeys seen =
      findVisibleKeys<Size::kRows, kMmaThreads>(p, task.sample, query, begins);
  const int begin = seen.begin / kColumns * kColumns;
  T *warpQ = q + warpRow * kTileStride<T, D>;
  MmaSoftmax<Size::kBlocks> softmax;
  Accumulator<Size::kBlocks, D / 8> out;
  out.clear();

  if (begin < seen.end) {
    startLoad<Size::kRows, D, kMmaThreads>(q, HeadRows<T>(p.q, task), query,
                                           p.sequence, p.dim);
    startLoad<kColumns, D, kMmaThreads>(k, keys, begin, p.sequence, p.dim);
    commitCopies();
  }
  for (int key = begin; key < seen.end; key += kColumns) {
    waitCopies<0>();
    syncBlock(); // k is there; everyone is done with v
    startLoad<kColumns, D, kMmaThreads>(v, values, key, p.sequence, p.dim);
    commitCopies();
    Accumulator<Size::kBlocks, kColumns / 8> scores;
    rowsTimesRows<D>(scores, warpQ, k);
    if (seen.needsMask(key, kColumns))
      hideScores(p, scores, begins + warpRow, query + warpRow, key);
    waitCopies<0>();
    syncBlock(); // v is there; everyone is done with k
    if (key + kColumns < seen.end)
      startLoad<kColumns, D, kMmaThreads>(k, keys, key + kColumns, p.sequence,
                                          p.dim);
    commitCopies();
    softmax.advance(scores, out, p.scale2);
    Weights<Size::kBlocks, kColumns / 16> weights;
    dropAndRound<T>(dropout, scores, weights, query + warpRow, key);
    addProduct<D>(out, weights, v);
  }
  softmax.finish(out, p.lse + headIndex(p, task) * p.sequence + query + warpRow,
                 p.sequence - query - warpRow, p.scale2, p.keepScale);
  storeRows<D>(out, warpQ, HeadRows<T>(p.o, task), query + warpRow, p.sequence,
               p.dim);
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_MMAFORWARD_CUH
