// What the gradient needs of every query before any tile: Statistics.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_STATISTICS_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_STATISTICS_CUH

#include "kernels/cuda/attention/Tile.cuh"

namespace orrery::kernels::cuda::flash {

constexpr int kStatisticsThreads = 256;
constexpr int kStatisticsLanes = 8; // of one row

// Sum over d of a row of o times a row of gradO, of every lane's chunks.
template <class T>
ORRERY_DEVICE float partialDot(const T *o, const T *gradO, int dim,
                               bool whole) {
  constexpr int kCount = Chunk<T>::kCount;
  float sum = 0;
  for (int c = threadIndex() % kStatisticsLanes * kCount; c < dim;
       c += kStatisticsLanes * kCount) {
    if (whole) {
      const Chunk<T> left = *reinterpret_cast<const Chunk<T> *>(o + c);
      const Chunk<T> right = *reinterpret_cast<const Chunk<T> *>(gradO + c);
#pragma unroll
      for (int x = 0; x < kCount; ++x)
        sum = fusedMultiplyAdd(widen(left.values[x]), widen(right.values[x]),
                               sum);
      continue;
    }
    for (int x = c; x < c + kCount && x < dim; ++x)
      sum = fusedMultiplyAdd(widen(o[x]), widen(gradO[x]), sum);
  }
  return sum;
}

/// Eight lanes a row; rows in memory order, behind the last query too.
template <class T>
ORRERY_KERNEL(kStatisticsThreads, 1)
attentionStatistics(Parameters p) {
  const int64_t index =
      (static_cast<int64_t>(blockIndex()) * kStatisticsThreads +
       threadIndex()) /
      kStatisticsLanes;
  const int64_t headsInAll = static_cast<int64_t>(p.batch) * p.heads;
  const int64_t query = index / headsInAll;
  const int row = static_cast<int>(index % headsInAll);
  const Task task = {row / p.heads, row % p.heads, 0};
  float sum = 0;
  if (query < p.sequence)
    sum = partialDot(HeadRows<T>(p.o, task).row(static_cast<int>(query)),
                     HeadRows<T>(p.gradO, task).row(static_cast<int>(query)),
                     p.dim, p.o.whole && p.gradO.whole);
#pragma unroll
  for (int mask = kStatisticsLanes / 2; mask > 0; mask /= 2)
    sum += shuffleXor(sum, mask);
  if (query >= p.paddedSequence || threadIndex() % kStatisticsLanes != 0)
    return;
  Statistics s = {infinity(), 0};
  if (query < p.sequence) {
    const float lse = p.lse[headIndex(p, task) * p.sequence + query];
    s.lse2 = lse == -infinity() ? infinity() : lse * static_cast<float>(kLog2E);
    s.dot = sum;
  }
  p.statistics[headIndex(p, task) * p.paddedSequence + query] = s;
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_STATISTICS_CUH
