// Products of 16-bit tiles on tensor cores, as multiplyAdd (m16n8k16) has them.
//
// Fragments. Lane 4g + t of a warp holds, of
//   a [16, 16], 4 registers of 2 elements: (g, 2t), (g + 8, 2t), (g, 2t + 8),
//                                          (g + 8, 2t + 8); each and its right
//                                          neighbour
//   b [16, 8], 2 registers: (2t, g), (2t + 8, g); each and its lower neighbour
//   c [16, 8], 4 floats: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
// so two neighbouring c of a row of blocks, rounded, are one a: probabilities
// go from the first product into the second without leaving registers.
//
// A warp owns 16 * Blocks rows of the block's row tile and all of the column
// tile:
//   rowsTimesRows        scores [16 Blocks, N] = rows [.., D] columns [N, D]^T
//   addProduct           out [16 Blocks, D] += weights [.., N] columns [N, D]
// Forward: rows are q, columns k and v. gradQ: rows q and gradO, columns k and
// v. gradK and gradV: rows k and v, columns q and gradO, scores transposed.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_MMATILE_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_MMATILE_CUH

#include "kernels/cuda/attention/Tile.cuh"

namespace orrery::kernels::cuda::flash {

constexpr int kMmaThreads = 128;
constexpr int kMmaWarps = kMmaThreads / 32;

ORRERY_DEVICE int laneIndex() { return threadIndex() % 32; }
ORRERY_DEVICE int warpIndex() { return threadIndex() / 32; }

/// [16 * Blocks, 8 * Columns] of F32 in c fragments.
template <int Blocks, int Columns> struct Accumulator {
  float values[Blocks][Columns][4];

  ORRERY_DEVICE void clear() {
#pragma unroll
    for (int m = 0; m < Blocks; ++m)
#pragma unroll
      for (int n = 0; n < Columns; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e)
          values[m][n][e] = 0;
  }
  ORRERY_DEVICE void multiply(float factor) {
#pragma unroll
    for (int m = 0; m < Blocks; ++m)
#pragma unroll
      for (int n = 0; n < Columns; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e)
          values[m][n][e] *= factor;
  }
};

/// [16 * Blocks, 16 * Steps] of 16-bit elements in a fragments.
template <int Blocks, int Steps> struct Weights {
  uint32_t values[Blocks][Steps][4];

  /// Takes c fragment n (columns 8n … 8n + 7) of row block m.
  template <class T>
  ORRERY_DEVICE void set(int m, int n, float c0, float c1, float c2, float c3) {
    values[m][n / 2][n % 2 * 2] = packPair<T>(c0, c1);
    values[m][n / 2][n % 2 * 2 + 1] = packPair<T>(c2, c3);
  }
};

/// scores = rows columns^T. `rows` is the warp's first row of a tile, `columns`
/// a tile of 8 * Columns rows.
template <int D, class T, int Blocks, int Columns>
ORRERY_DEVICE void rowsTimesRows(Accumulator<Blocks, Columns> &scores,
                                 const T *rows, const T *columns) {
  constexpr int kStride = kTileStride<T, D>;
  const int lane = laneIndex();
  // Matrices of a: rows 0-7 and 8-15 of elements 0-7, then of 8-15.
  const T *left = rows + lane % 16 * kStride + lane / 16 * 8;
  // Matrices of two b: elements 0-7 and 8-15 of rows 0-7, then of 8-15.
  const T *right =
      columns + (lane % 8 + lane / 16 * 8) * kStride + lane / 8 % 2 * 8;
  scores.clear();
#pragma unroll
  for (int step = 0; step < D / 16; ++step) {
    uint32_t a[Blocks][4];
#pragma unroll
    for (int m = 0; m < Blocks; ++m)
      loadMatrices(a[m], left + m * 16 * kStride + step * 16);
#pragma unroll
    for (int n = 0; n < Columns; n += 2) {
      uint32_t b[4];
      loadMatrices(b, right + n * 8 * kStride + step * 16);
#pragma unroll
      for (int m = 0; m < Blocks; ++m) {
        multiplyAdd<T>(scores.values[m][n], a[m], b[0], b[1]);
        multiplyAdd<T>(scores.values[m][n + 1], a[m], b[2], b[3]);
      }
    }
  }
}

/// out += weights columns, for a tile `columns` of 16 * Steps rows.
template <int D, class T, int Blocks, int Steps>
ORRERY_DEVICE void addProduct(Accumulator<Blocks, D / 8> &out,
                              const Weights<Blocks, Steps> &weights,
                              const T *columns) {
  constexpr int kStride = kTileStride<T, D>;
  const int lane = laneIndex();
  // Matrices of two b, transposed: rows 0-7 and 8-15 of columns 0-7, then of
  // 8-15.
  const T *right = columns + lane % 16 * kStride + lane / 16 * 8;
#pragma unroll
  for (int step = 0; step < Steps; ++step)
#pragma unroll
    for (int n = 0; n < D / 8; n += 2) {
      uint32_t b[4];
      loadMatricesTransposed(b, right + step * 16 * kStride + n * 8);
#pragma unroll
      for (int m = 0; m < Blocks; ++m) {
        multiplyAdd<T>(out.values[m][n], weights.values[m][step], b[0], b[1]);
        multiplyAdd<T>(out.values[m][n + 1], weights.values[m][step], b[2],
                       b[3]);
      }
    }
}

/// Rounds a warp's rows into its rows of a tile and writes those before `end`
/// to rows first … of `out`. No other warp may use these rows of the tile.
template <int D, class T, int Blocks>
ORRERY_DEVICE void storeRows(const Accumulator<Blocks, D / 8> &values, T *rows,
                             const HeadRows<T> &out, int first, int end,
                             int dim) {
  constexpr int kStride = kTileStride<T, D>;
  const int lane = laneIndex();
  T *to = rows + lane / 4 * kStride + lane % 4 * 2;
  syncWarp(); // all lanes are done with reading these rows
#pragma unroll
  for (int m = 0; m < Blocks; ++m)
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      const float (&c)[4] = values.values[m][n];
      T *at = to + m * 16 * kStride + n * 8;
      *reinterpret_cast<uint32_t *>(at) = packPair<T>(c[0], c[1]);
      *reinterpret_cast<uint32_t *>(at + 8 * kStride) = packPair<T>(c[2], c[3]);
    }
  syncWarp();
  storeByWarp<16 * Blocks, D>(rows, out, first, end, dim);
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_MMATILE_CUH
