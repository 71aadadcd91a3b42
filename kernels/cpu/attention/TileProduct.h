// Products of tiles that lie in the first-level cache.
#ifndef ORRERY_KERNELS_CPU_ATTENTION_TILEPRODUCT_H
#define ORRERY_KERNELS_CPU_ATTENTION_TILEPRODUCT_H

#include "kernels/cpu/attention/Lanes.h"

namespace orrery::kernels::ORRERY_ISA {

// A register block of 4 rows by kColumns vectors: with AVX-512 16 accumulators,
// 4 loads and 4 broadcasts per 16 multiply-adds.
constexpr int kColumns = kLanes == 16 ? 4 : 2;

/// Left operand: element (m, k) at data[m * row + k * column].
struct LeftOperand {
  const float *data;
  int64_t row;
  int64_t column;
};

template <int Rows, int Columns>
ORRERY_INLINE void blockProduct(LeftOperand a, const float *b, int64_t ldb,
                                float *c, int64_t ldc, int k, bool accumulate) {
  Floats sum[Rows][Columns];
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Columns; ++v)
      sum[r][v] = accumulate ? load(c + r * ldc + v * kLanes) : Floats{};
  for (int i = 0; i < k; ++i) {
    Floats right[Columns];
#pragma GCC unroll 4
    for (int v = 0; v < Columns; ++v)
      right[v] = load(b + i * ldb + v * kLanes);
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      Floats left = broadcast(a.data[r * a.row + i * a.column]);
#pragma GCC unroll 4
      for (int v = 0; v < Columns; ++v)
        sum[r][v] += left * right[v];
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Columns; ++v)
      store(c + r * ldc + v * kLanes, sum[r][v]);
}

template <int Columns>
ORRERY_INLINE void stripProduct(LeftOperand a, const float *b, int64_t ldb,
                                float *c, int64_t ldc, int m, int k,
                                bool accumulate) {
  int row = 0;
  for (; row + 4 <= m; row += 4)
    blockProduct<4, Columns>({a.data + row * a.row, a.row, a.column}, b, ldb,
                             c + row * ldc, ldc, k, accumulate);
  for (; row < m; ++row)
    blockProduct<1, Columns>({a.data + row * a.row, a.row, a.column}, b, ldb,
                             c + row * ldc, ldc, k, accumulate);
}

/// c[m, n] (+)= a[m, k] b[k, n]; n is a multiple of the lanes.
static void tileProduct(LeftOperand a, const float *b, int64_t ldb, float *c,
                        int64_t ldc, int m, int n, int k, bool accumulate) {
  int column = 0;
  for (; column + kColumns * kLanes <= n; column += kColumns * kLanes)
    stripProduct<kColumns>(a, b + column, ldb, c + column, ldc, m, k,
                           accumulate);
  for (; column < n; column += kLanes)
    stripProduct<1>(a, b + column, ldb, c + column, ldc, m, k, accumulate);
}

} // namespace orrery::kernels::ORRERY_ISA

#endif // ORRERY_KERNELS_CPU_ATTENTION_TILEPRODUCT_H
