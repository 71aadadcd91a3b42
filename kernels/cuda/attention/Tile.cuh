// Tiles of rows in shared memory and their way from and to device memory.
//
// A tile is [Rows, D + 16 bytes]: with rows an odd number of 16-byte units
// apart, eight neighbouring rows at one column lie in different banks.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_TILE_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_TILE_CUH

#include "kernels/cuda/attention/Parameters.cuh"

namespace orrery::kernels::cuda::flash {

/// Sixteen bytes of elements.
template <class T> struct alignas(16) Chunk {
  static constexpr int kCount = 16 / sizeof(T);
  T values[kCount];
};

/// Elements between rows of a tile of `D` columns.
template <class T, int D>
constexpr int kTileStride = D + static_cast<int>(16 / sizeof(T));

template <class T, int D> constexpr int tileBytes(int rows) {
  return rows * kTileStride<T, D> * static_cast<int>(sizeof(T));
}

// How threads walk a tile: `kAcross` threads side by side on a row, each at
// every kAcross-th chunk.
template <class T, int D> struct TileWalk {
  static constexpr int kChunks = D / Chunk<T>::kCount;
  static constexpr int kAcross = kChunks % 8 == 0 ? 8 : 4;
  static_assert(kChunks % kAcross == 0);
};

// startLoad for rows that are not whole chunks; compact rather than fast.
template <int Rows, int D, int Threads, class T>
ORRERY_DEVICE void loadElements(T *tile, const HeadRows<T> &in, int first,
                                int end, int dim) {
  constexpr int kChunks = TileWalk<T, D>::kChunks;
#pragma unroll 1
  for (int i = threadIndex(); i < Rows * kChunks; i += Threads) {
    const int row = i / kChunks, column = i % kChunks * Chunk<T>::kCount;
    const T *from = in.row(first + row) + column;
    Chunk<T> chunk = {};
#pragma unroll
    for (int x = 0; x < Chunk<T>::kCount; ++x)
      if (first + row < end && column + x < dim)
        chunk.values[x] = from[x];
    *reinterpret_cast<Chunk<T> *>(tile + row * kTileStride<T, D> + column) =
        chunk;
  }
}

/// Starts copying rows [first, first + Rows) into `tile`; zeros behind `dim`
/// and from row `end` on. All threads of the block share the work; the rows
/// are there after waitCopies and a barrier.
template <int Rows, int D, int Threads, class T>
ORRERY_DEVICE void startLoad(T *tile, const HeadRows<T> &in, int first, int end,
                             int dim) {
  using Walk = TileWalk<T, D>;
  constexpr int kDown = Threads / Walk::kAcross;
  static_assert(Rows % kDown == 0);
  if (!in.whole)
    return loadElements<Rows, D, Threads>(tile, in, first, end, dim);
  const int column0 = threadIndex() % Walk::kAcross * Chunk<T>::kCount;
  const int row0 = threadIndex() / Walk::kAcross;
#pragma unroll
  for (int i = 0; i < Rows / kDown; ++i) {
    const int row = row0 + i * kDown;
    const bool inside = first + row < end;
    const T *from = in.row(inside ? first + row : 0) + column0;
    T *to = tile + row * kTileStride<T, D> + column0;
#pragma unroll
    for (int c = 0; c < D; c += Walk::kAcross * Chunk<T>::kCount) {
      const bool valid = inside && column0 + c < dim;
      copyAsync16(to + c, valid ? from + c : in.data, valid);
    }
  }
}

/// Writes `Rows` rows of a tile to rows [first, first + Rows) of `out`, those
/// before `end`, `dim` columns. The threads of one warp share the work.
template <int Rows, int D, class T>
ORRERY_DEVICE void storeByWarp(const T *tile, const HeadRows<T> &out, int first,
                               int end, int dim) {
  using Walk = TileWalk<T, D>;
  constexpr int kCount = Chunk<T>::kCount;
  constexpr int kDown = 32 / Walk::kAcross;
  const int lane = threadIndex() % 32;
  const int chunk0 = lane % Walk::kAcross;
  for (int row = lane / Walk::kAcross; row < Rows; row += kDown) {
    if (first + row >= end)
      continue;
    T *to = out.row(first + row);
    const T *from = tile + row * kTileStride<T, D>;
    for (int c = chunk0; c < Walk::kChunks; c += Walk::kAcross) {
      if (c * kCount >= dim)
        continue;
      if (out.whole) {
        *reinterpret_cast<Chunk<T> *>(to + c * kCount) =
            *reinterpret_cast<const Chunk<T> *>(from + c * kCount);
        continue;
      }
      for (int x = 0; x < kCount; ++x)
        if (c * kCount + x < dim)
          to[c * kCount + x] = from[c * kCount + x];
    }
  }
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_TILE_CUH
