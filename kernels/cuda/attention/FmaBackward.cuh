// The gradient in F32. With P = 2^(scale2 * score - lse2), F the dropout factor
// (0 or 1 / (1 - p)) and gradP = gradO v^T:
//   gradS = P * (F * gradP - dot)
//   gradV = (F * P)^T gradO, gradK = scale * gradS^T q, gradQ = scale * gradS k
// One kernel owns tiles of queries and sums over keys, the other owns tiles of
// keys and sums over queries.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_FMABACKWARD_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_FMABACKWARD_CUH

#include "kernels/cuda/attention/FmaForward.cuh"

namespace orrery::kernels::cuda::flash {

/// Shared memory of both kernels.
template <int D> constexpr int fmaBackwardBytes() {
  using Size = FmaSize<D>;
  return 2 * Size::kRowBytes + 2 * Size::kColumnBytes + Size::kSquareBytes +
         Size::kRows * static_cast<int>(sizeof(int));
}

// Where the tiles of a block lie in shared memory.
template <int D> struct FmaBackwardTiles {
  float *rows0, *rows1, *columns0, *columns1, *square;
  int *integers; // kRows

  ORRERY_DEVICE FmaBackwardTiles() {
    using Size = FmaSize<D>;
    rows0 = reinterpret_cast<float *>(sharedMemory());
    rows1 = rows0 + Size::kRowBytes / sizeof(float);
    columns0 = rows1 + Size::kRowBytes / sizeof(float);
    columns1 = columns0 + Size::kColumnBytes / sizeof(float);
    square = columns1 + Size::kColumnBytes / sizeof(float);
    integers = reinterpret_cast<int *>(square) + Size::kSquareBytes / 4;
  }
};

template <int D> ORRERY_KERNEL(FmaSize<D>::kThreads, 2) fmaGradQ(Parameters p) {
  using Size = FmaSize<D>;
  constexpr int kRows = Size::kRows, kColumns = Size::kColumns;
  constexpr int kThreads = Size::kThreads;
  const FmaBackwardTiles<D> tiles; // q, gradO; k, v; gradS

  const Task task = blockTask(p, tilesOf(p.sequence, kRows), p.causal);
  const int query = task.tile * kRows;
  const HeadRows<float> keys(p.k, task), values(p.v, task);
  const Dropout<true> dropout(p, task);
  const VisibleKeys seen =
      findVisibleKeys<kRows, kThreads>(p, task.sample, query, tiles.integers);
  const int begin = seen.begin / kColumns * kColumns;
  Statistics statistics[4];
#pragma unroll
  for (int i = 0; i < 4; ++i)
    statistics[i] = p.statistics[headIndex(p, task) * p.paddedSequence + query +
                                 threadIndex() / 16 * 4 + i];
  FmaOut<D> gradQ;

  if (begin < seen.end) {
    startLoad<kRows, D, kThreads>(tiles.rows0, HeadRows<float>(p.q, task),
                                  query, p.sequence, p.dim);
    startLoad<kRows, D, kThreads>(tiles.rows1, HeadRows<float>(p.gradO, task),
                                  query, p.sequence, p.dim);
    startLoad<kColumns, D, kThreads>(tiles.columns0, keys, begin, p.sequence,
                                     p.dim);
    startLoad<kColumns, D, kThreads>(tiles.columns1, values, begin, p.sequence,
                                     p.dim);
    commitCopies();
  }
  for (int key = begin; key < seen.end; key += kColumns) {
    const bool more = key + kColumns < seen.end;
    waitCopies<0>();
    syncBlock();
    float scores[4][Size::kAcross], grads[4][Size::kAcross];
    rowsTimesRows<D>(scores, tiles.rows0, tiles.columns0, p.dim);
    rowsTimesRows<D>(grads, tiles.rows1, tiles.columns1, p.dim);
    if (seen.needsMask(key, kColumns))
      hideScores(p, scores, tiles.integers, query, key);
#pragma unroll
    for (int j = 0; j < Size::kAcross; ++j) {
      const uint32_t keep =
          dropout.on() ? keepRows(dropout, query, key, j) : ~0u;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float probability =
            exp2Exact(scores[i][j] * p.scale2 - statistics[i].lse2);
        const float grad =
            keep >> (4 * i) & 1 ? grads[i][j] * p.keepScale : 0.0f;
        grads[i][j] = probability * (grad - statistics[i].dot);
      }
    }
    storeSquare<kColumns>(tiles.square, grads);
    syncBlock(); // gradS is there; everyone is done with v
    if (more)
      startLoad<kColumns, D, kThreads>(tiles.columns1, values, key + kColumns,
                                       p.sequence, p.dim);
    gradQ.addProduct(tiles.square, tiles.columns0);
    syncBlock(); // done with k
    if (more)
      startLoad<kColumns, D, kThreads>(tiles.columns0, keys, key + kColumns,
                                       p.sequence, p.dim);
    commitCopies();
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
    gradQ.multiplyRow(i, p.scale);
  gradQ.store(HeadRows<float>(p.gradQ, task), query, p.sequence, p.dim);
}

// Scores and gradients of probabilities of a tile of keys (rows) and queries:
// scores -> P after dropout without its factor, grads -> gradS.
template <int Across>
ORRERY_DEVICE void
differentiateKeys(const Parameters &p, const Task &task,
                  const Dropout<true> &dropout, float (&scores)[4][Across],
                  float (&grads)[4][Across], int firstKey, int firstQuery) {
  const Statistics *statistics =
      p.statistics + headIndex(p, task) * p.paddedSequence;
  const int key = firstKey + threadIndex() / 16 * 4;
#pragma unroll
  for (int j = 0; j < Across; ++j) {
    const int query = firstQuery + threadIndex() % 16 + 16 * j;
    const Statistics s = statistics[query];
    const int begin =
        query < p.sequence ? visibleBegin(p, task.sample, query) : 0;
    const int end = visibleEnd(p, query);
    const uint32_t keep = dropout.on() ? dropout.keepFour(query, key) : ~0u;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const bool sees = key + i >= begin && key + i < end;
      const bool kept = keep >> i & 1;
      const float probability =
          sees ? exp2Exact(scores[i][j] * p.scale2 - s.lse2) : 0.0f;
      scores[i][j] = kept ? probability : 0.0f;
      grads[i][j] =
          probability * ((kept ? grads[i][j] * p.keepScale : 0.0f) - s.dot);
    }
  }
}

template <int D>
ORRERY_KERNEL(FmaSize<D>::kThreads, 2)
fmaGradKv(Parameters p) {
  using Size = FmaSize<D>;
  constexpr int kRows = Size::kRows, kColumns = Size::kColumns;
  constexpr int kThreads = Size::kThreads;
  const FmaBackwardTiles<D> tiles; // k, v; q, gradO; P, then gradS

  const Task task = blockTask(p, tilesOf(p.sequence, kRows), false);
  const int key = task.tile * kRows;
  const HeadRows<float> queries(p.q, task), gradO(p.gradO, task);
  const Dropout<true> dropout(p, task);
  int begin, end;
  findSeeingTiles<kThreads>(p, task.sample, key, key + kRows, kColumns,
                            tiles.integers, begin, end);
  FmaOut<D> gradK, gradV;

  if (begin < end) {
    startLoad<kRows, D, kThreads>(tiles.rows0, HeadRows<float>(p.k, task), key,
                                  p.sequence, p.dim);
    startLoad<kRows, D, kThreads>(tiles.rows1, HeadRows<float>(p.v, task), key,
                                  p.sequence, p.dim);
    startLoad<kColumns, D, kThreads>(tiles.columns0, queries, begin * kColumns,
                                     p.sequence, p.dim);
    startLoad<kColumns, D, kThreads>(tiles.columns1, gradO, begin * kColumns,
                                     p.sequence, p.dim);
    commitCopies();
  }
  for (int tile = begin; tile < end; ++tile) {
    const int query = tile * kColumns;
    waitCopies<0>();
    syncBlock(); // the tiles are there; the product before is done with gradS
    float scores[4][Size::kAcross], grads[4][Size::kAcross];
    rowsTimesRows<D>(scores, tiles.rows0, tiles.columns0, p.dim);
    rowsTimesRows<D>(grads, tiles.rows1, tiles.columns1, p.dim);
    differentiateKeys(p, task, dropout, scores, grads, key, query);
    storeSquare<kColumns>(tiles.square, scores);
    syncBlock();
    gradV.addProduct(tiles.square, tiles.columns1);
    syncBlock(); // done with P and gradO
    storeSquare<kColumns>(tiles.square, grads);
    if (tile + 1 < end)
      startLoad<kColumns, D, kThreads>(tiles.columns1, gradO, query + kColumns,
                                       p.sequence, p.dim);
    syncBlock();
    gradK.addProduct(tiles.square, tiles.columns0);
    syncBlock(); // done with q
    if (tile + 1 < end)
      startLoad<kColumns, D, kThreads>(tiles.columns0, queries,
                                       query + kColumns, p.sequence, p.dim);
    commitCopies();
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    gradK.multiplyRow(i, p.scale);
    gradV.multiplyRow(i, p.keepScale);
  }
  gradK.store(HeadRows<float>(p.gradK, task), key, p.sequence, p.dim);
  gradV.store(HeadRows<float>(p.gradV, task), key, p.sequence, p.dim);
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_FMABACKWARD_CUH
