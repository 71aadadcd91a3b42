// What a launch of the attention kernels gets: the caller's arguments in the
// form the kernels use, and which (sample, head, tile) a block works on.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_PARAMETERS_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_PARAMETERS_CUH

#include "kernels/cuda/attention/Primitives.cuh"

namespace orrery::kernels::cuda::flash {

constexpr double kLog2E = 1.4426950408889634074;
constexpr double kLn2 = 0.69314718055994530942;

/// A [s, b, n, d] tensor; strides in elements. `whole`: every row starts at a
/// multiple of 16 bytes and is a multiple of 16 bytes long.
struct Tensor {
  void *data;
  int64_t strideS, strideB, strideN;
  bool whole;
};

/// Per query, for the gradient: P = 2^(scale2 * score - lse2), and
/// dot = sum over d of o * gradO. lse2 is +infinity (so that P is 0) where the
/// query sees no key and behind the last query.
struct Statistics {
  float lse2;
  float dot;
};

struct Parameters {
  Tensor q, k, v, o, gradO, gradQ, gradK, gradV;
  float *lse;             // [b, n, s]
  Statistics *statistics; // [b, n, paddedSequence]

  int sequence, batch, heads, dim;
  int paddedSequence; // up to a multiple of kStatisticsTile
  bool causal;
  float scale;  // of q k^T
  float scale2; // scale * log2(e)

  const int32_t *documentStart; // null: position 0
  int64_t documentStrideS, documentStrideB;

  const uint64_t *key; // null: no dropout
  uint32_t threshold;  // floor(p * 2^32)
  float keepScale;     // 1 / (1 - p); 1 without dropout
  uint64_t firstHead;  // sample * totalHeads + head
  uint64_t totalHeads;
};

constexpr int kStatisticsTile = 128;

/// One head of one sample and a tile of its rows.
struct Task {
  int sample, head, tile;
};

/// Blocks of one head are neighbours, so that they share k and v in the cache.
/// `descending`: the last tile first, for kernels whose last tile is longest.
ORRERY_DEVICE Task blockTask(const Parameters &p, int tiles, bool descending) {
  const int index = blockIndex();
  const int row = index / tiles;
  const int tile = index - row * tiles;
  return {row / p.heads, row % p.heads, descending ? tiles - 1 - tile : tile};
}

/// Called on both sides: launches count tiles as kernels do.
#ifdef __CUDACC__
__host__
#endif
    ORRERY_DEVICE int tilesOf(int count, int tile) {
  return (count + tile - 1) / tile;
}

/// Rows of one head of one sample.
template <class T> struct HeadRows {
  T *data;
  int64_t stride;
  bool whole;

  ORRERY_DEVICE HeadRows(const Tensor &t, const Task &task)
      : data(static_cast<T *>(t.data) + task.sample * t.strideB +
             task.head * t.strideN),
        stride(t.strideS), whole(t.whole) {}
  ORRERY_DEVICE T *row(int i) const { return data + i * stride; }
};

/// Index of the (sample, head) of a task in [b, n].
ORRERY_DEVICE int64_t headIndex(const Parameters &p, const Task &task) {
  return static_cast<int64_t>(task.sample) * p.heads + task.head;
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_PARAMETERS_CUH
