// Forward in F32: one block per tile of queries of a head, keys tile by tile,
// softmax statistics in registers.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_FMAFORWARD_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_FMAFORWARD_CUH

#include "kernels/cuda/attention/Dropout.cuh"
#include "kernels/cuda/attention/FmaTile.cuh"
#include "kernels/cuda/attention/Visibility.cuh"

namespace orrery::kernels::cuda::flash {

/// Shared memory of the forward kernel and of the gradients' two.
template <int D> constexpr int fmaForwardBytes() {
  using Size = FmaSize<D>;
  return Size::kRowBytes + 2 * Size::kColumnBytes + Size::kSquareBytes +
         Size::kRows * static_cast<int>(sizeof(int));
}

/// scores[i][j] of a query tile: minus infinity where the query does not see
/// the key.
template <int Across>
ORRERY_DEVICE void hideScores(const Parameters &p, float (&scores)[4][Across],
                              const int *begins, int query, int key) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = threadIndex() / 16 * 4 + i;
    const int begin = begins[row], end = visibleEnd(p, query + row);
#pragma unroll
    for (int j = 0; j < Across; ++j) {
      const int column = key + threadIndex() % 16 + 16 * j;
      if (column < begin || column >= end || column >= p.sequence)
        scores[i][j] = -infinity();
    }
  }
}

/// Bit 4i: whether dropout keeps row i of a thread at its column j, for queries
/// as rows; the four lanes that share neighbouring keys decide a row each.
ORRERY_DEVICE uint32_t keepRows(const Dropout<true> &dropout, int query,
                                int key, int j) {
  const int part = threadIndex() % 4;
  uint32_t bits = dropout.keepFour(query + threadIndex() / 16 * 4 + part,
                                   key + threadIndex() % 16 / 4 * 4 + 16 * j)
                  << (4 * part);
  bits |= shuffleXor(bits, 1);
  bits |= shuffleXor(bits, 2);
  return bits >> part;
}

/// Running softmax of a thread's four rows, in units of log2.
struct FmaSoftmax {
  float maximum[4];
  float sum[4] = {};

  ORRERY_DEVICE FmaSoftmax() {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      maximum[i] = -infinity();
  }

  /// scores := 2^(scale2 * scores - maximum); returns in rescale[i] by what to
  /// multiply what row i summed before.
  template <int Across>
  ORRERY_DEVICE void advance(float (&scores)[4][Across], float scale2,
                             float (&rescale)[4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float top = maximum[i];
#pragma unroll
      for (int j = 0; j < Across; ++j) {
        scores[i][j] *= scale2;
        top = largest(top, scores[i][j]);
      }
#pragma unroll
      for (int mask = 8; mask > 0; mask /= 2)
        top = largest(top, shuffleXor(top, mask));
      // While nothing is visible the maximum is -infinity: any finite base.
      const float base = top == -infinity() ? 0.0f : top;
      float total = 0;
#pragma unroll
      for (int j = 0; j < Across; ++j) {
        scores[i][j] = exp2Exact(scores[i][j] - base);
        total += scores[i][j];
      }
#pragma unroll
      for (int mask = 8; mask > 0; mask /= 2)
        total += shuffleXor(total, mask);
      rescale[i] = exp2Exact(maximum[i] - base);
      sum[i] = sum[i] * rescale[i] + total;
      maximum[i] = top;
    }
  }
};

template <int D>
ORRERY_KERNEL(FmaSize<D>::kThreads, 2)
fmaForward(Parameters p) {
  using Size = FmaSize<D>;
  constexpr int kRows = Size::kRows, kColumns = Size::kColumns;
  constexpr int kThreads = Size::kThreads;
  float *q = reinterpret_cast<float *>(sharedMemory());
  float *k = q + Size::kRowBytes / sizeof(float);
  float *v = k + Size::kColumnBytes / sizeof(float);
  float *square = v + Size::kColumnBytes / sizeof(float);
  int *begins = reinterpret_cast<int *>(square) + Size::kSquareBytes / 4;

  const Task task = blockTask(p, tilesOf(p.sequence, kRows), p.causal);
  const int query = task.tile * kRows;
  const HeadRows<float> keys(p.k, task), values(p.v, task);
  const Dropout<true> dropout(p, task);
  const VisibleKeys seen =
      findVisibleKeys<kRows, kThreads>(p, task.sample, query, begins);
  const int begin = seen.begin / kColumns * kColumns;
  FmaSoftmax softmax;
  FmaOut<D> out;

  if (begin < seen.end) {
    startLoad<kRows, D, kThreads>(q, HeadRows<float>(p.q, task), query,
                                  p.sequence, p.dim);
    startLoad<kColumns, D, kThreads>(k, keys, begin, p.sequence, p.dim);
    commitCopies();
  }
  for (int key = begin; key < seen.end; key += kColumns) {
    waitCopies<0>();
    syncBlock(); // k is there; the product before is done with v and square
    startLoad<kColumns, D, kThreads>(v, values, key, p.sequence, p.dim);
    commitCopies();
    float scores[4][Size::kAcross], rescale[4];
    rowsTimesRows<D>(scores, q, k, p.dim);
    if (seen.needsMask(key, kColumns))
      hideScores(p, scores, begins, query, key);
    softmax.advance(scores, p.scale2, rescale);
    if (dropout.on())
#pragma unroll
      for (int j = 0; j < Size::kAcross; ++j) {
        const uint32_t keep = keepRows(dropout, query, key, j);
#pragma unroll
        for (int i = 0; i < 4; ++i)
          scores[i][j] = keep >> (4 * i) & 1 ? scores[i][j] : 0.0f;
      }
    storeSquare<kColumns>(square, scores);
    waitCopies<0>();
    syncBlock(); // v and square are there; everyone is done with k
    if (key + kColumns < seen.end)
      startLoad<kColumns, D, kThreads>(k, keys, key + kColumns, p.sequence,
                                       p.dim);
    commitCopies();
#pragma unroll
    for (int i = 0; i < 4; ++i)
      out.multiplyRow(i, rescale[i]);
    out.addProduct(square, v);
  }

#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float sum = softmax.sum[i];
    // Zero where nothing is visible; NaN must reach the output.
    out.multiplyRow(i, sum == 0 ? 0.0f : p.keepScale / sum);
    const int row = query + threadIndex() / 16 * 4 + i;
    if (threadIndex() % 16 == 0 && row < p.sequence)
      p.lse[headIndex(p, task) * p.sequence + row] =
          sum == 0 ? -infinity()
                   : (softmax.maximum[i] + log2Exact(sum)) *
                         static_cast<float>(kLn2);
  }
  out.store(HeadRows<float>(p.o, task), query, p.sequence, p.dim);
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_FMAFORWARD_CUH
