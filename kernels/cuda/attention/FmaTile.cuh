// Products of F32 tiles in shared memory, on the ordinary arithmetic units.
//
// A block of 4 * kRows threads works on kRows × kColumns scores; thread
// 16 y + x holds rows 4y … 4y + 3 at columns x, x + 16, …: a 16-byte load of
// shared memory feeds eight multiply-adds and eight threads of a phase never
// meet in a bank.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_FMATILE_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_FMATILE_CUH

#include "kernels/cuda/attention/Tile.cuh"

namespace orrery::kernels::cuda::flash {

/// Sizes for rows of `D` columns, zero behind the tensors' d.
template <int D> struct FmaSize {
  static constexpr int kRows = D == 256 ? 32 : 64;
  static constexpr int kColumns = D == 64 ? 64 : 32;
  static constexpr int kThreads = 4 * kRows;
  static constexpr int kAcross = kColumns / 16; // scores of a thread in a row
  static constexpr int kOut = D / 64;           // chunks of a thread in a row
  static constexpr int kRowBytes = tileBytes<float, D>(kRows);
  static constexpr int kColumnBytes = tileBytes<float, D>(kColumns);
  static constexpr int kSquareBytes = tileBytes<float, kColumns>(kRows);
};

using Floats = Chunk<float>;

ORRERY_DEVICE Floats loadFloats(const float *from) {
  return *reinterpret_cast<const Floats *>(from);
}

/// scores = a b^T for tiles a [kRows, D] and b [kColumns, D].
template <int D, int Across>
ORRERY_DEVICE void rowsTimesRows(float (&scores)[4][Across], const float *a,
                                 const float *b, int dim) {
  constexpr int kStride = kTileStride<float, D>;
  const float *left = a + threadIndex() / 16 * 4 * kStride;
  const float *right = b + threadIndex() % 16 * kStride;
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < Across; ++j)
      scores[i][j] = 0;
#pragma unroll 2
  for (int x = 0; x < dim; x += 4) {
    Floats rows[4], columns[Across];
#pragma unroll
    for (int i = 0; i < 4; ++i)
      rows[i] = loadFloats(left + i * kStride + x);
#pragma unroll
    for (int j = 0; j < Across; ++j)
      columns[j] = loadFloats(right + j * 16 * kStride + x);
#pragma unroll
    for (int e = 0; e < 4; ++e)
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < Across; ++j)
          scores[i][j] = fusedMultiplyAdd(rows[i].values[e],
                                          columns[j].values[e], scores[i][j]);
  }
}

/// Writes a thread's part of the [kRows, kColumns] square.
template <int Columns, int Across>
ORRERY_DEVICE void storeSquare(float *square, const float (&x)[4][Across]) {
  float *to = square + threadIndex() / 16 * 4 * kTileStride<float, Columns> +
              threadIndex() % 16;
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < Across; ++j)
      to[i * kTileStride<float, Columns> + j * 16] = x[i][j];
}

/// Rows 4y … 4y + 3 of an output, at columns 4x + 64c … 4x + 64c + 3.
template <int D> struct FmaOut {
  Floats values[4][FmaSize<D>::kOut] = {};

  /// += square tile, for the square [kRows, kColumns], tile [kColumns, D].
  ORRERY_DEVICE void addProduct(const float *square, const float *tile) {
    constexpr int kColumns = FmaSize<D>::kColumns;
    constexpr int kStride = kTileStride<float, kColumns>;
    const float *left = square + threadIndex() / 16 * 4 * kStride;
    const float *right = tile + threadIndex() % 16 * 4;
#pragma unroll 2
    for (int k = 0; k < kColumns; k += 4) {
      Floats rows[4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        rows[i] = loadFloats(left + i * kStride + k);
#pragma unroll
      for (int e = 0; e < 4; ++e)
#pragma unroll
        for (int c = 0; c < FmaSize<D>::kOut; ++c) {
          const Floats columns =
              loadFloats(right + (k + e) * kTileStride<float, D> + c * 64);
#pragma unroll
          for (int i = 0; i < 4; ++i)
#pragma unroll
            for (int x = 0; x < 4; ++x)
              values[i][c].values[x] = fusedMultiplyAdd(
                  rows[i].values[e], columns.values[x], values[i][c].values[x]);
        }
    }
  }

  ORRERY_DEVICE void multiplyRow(int i, float factor) {
#pragma unroll
    for (int c = 0; c < FmaSize<D>::kOut; ++c)
#pragma unroll
      for (int x = 0; x < 4; ++x)
        values[i][c].values[x] *= factor;
  }

  /// Writes rows first + 4y …, those before `end`.
  ORRERY_DEVICE void store(const HeadRows<float> &out, int first, int end,
                           int dim) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = first + threadIndex() / 16 * 4 + i;
      if (row >= end)
        continue;
#pragma unroll
      for (int c = 0; c < FmaSize<D>::kOut; ++c) {
        const int column = threadIndex() % 16 * 4 + c * 64;
        float *to = out.row(row) + column;
        if (out.whole && column < dim)
          *reinterpret_cast<Floats *>(to) = values[i][c];
        if (!out.whole)
#pragma unroll
          for (int x = 0; x < 4; ++x)
            if (column + x < dim)
              to[x] = values[i][c].values[x];
      }
    }
  }
};

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_FMATILE_CUH
