// Matrix products over OpenBLAS.
#ifndef ORRERY_KERNELS_CPU_GEMM_H
#define ORRERY_KERNELS_CPU_GEMM_H

#include "absl/status/status.h"
#include "kernels/cpu/ElementType.h"

#include <cstdint>

namespace orrery::kernels {

/// C = alpha * op(A) op(B) + beta * C, row-major; op(A) [m, k], op(B) [k, n].
/// Leading dimensions and strides between the products of a batch in elements.
struct GemmArguments {
  const void *a = nullptr;
  const void *b = nullptr;
  void *c = nullptr;
  bool transposeA = false, transposeB = false;
  int64_t m = 0, n = 0, k = 0;
  int64_t lda = 0, ldb = 0, ldc = 0;
  int64_t batch = 1;
  int64_t strideA = 0, strideB = 0, strideC = 0;
  double alpha = 1, beta = 0;
};

/// A batch of at least `threads` products runs one product per thread, a
/// smaller one runs each product on all threads. Sizes are limited to 2^31 - 1
/// by BLAS: OutOfRange otherwise.
absl::Status gemm(ElementType type, const GemmArguments &arguments,
                  int threads);

/// How many threads one product may use when called from this thread.
void setGemmThreads(int threads);

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_CPU_GEMM_H
