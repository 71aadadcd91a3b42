// The truth for matrix products.
#ifndef ORRERY_KERNELS_REF_GEMM_H
#define ORRERY_KERNELS_REF_GEMM_H

#include <cstdint>
#include <vector>

namespace orrery::kernels::ref {

/// c = alpha * op(a) op(b) + beta * c, row-major; op(a) [m, k], op(b) [k, n];
/// `batch` products with element strides between them.
struct Gemm {
  bool transposeA = false, transposeB = false;
  int64_t m = 1, n = 1, k = 1, lda = 1, ldb = 1, ldc = 1;
  int64_t batch = 1, strideA = 0, strideB = 0, strideC = 0;
  double alpha = 1, beta = 0;

  void run(const std::vector<double> &a, const std::vector<double> &b,
           std::vector<double> &c) const {
    for (int64_t x = 0; x < batch; ++x)
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t l = 0; l < k; ++l)
            sum += a[x * strideA + (transposeA ? l * lda + i : i * lda + l)] *
                   b[x * strideB + (transposeB ? j * ldb + l : l * ldb + j)];
          double &to = c[x * strideC + i * ldc + j];
          to = alpha * sum + (beta == 0 ? 0 : beta * to);
        }
  }
};

} // namespace orrery::kernels::ref

#endif // ORRERY_KERNELS_REF_GEMM_H
