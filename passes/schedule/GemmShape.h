// A contraction written as one (batched) matrix product.
#ifndef ORRERY_PASSES_SCHEDULE_GEMMSHAPE_H
#define ORRERY_PASSES_SCHEDULE_GEMMSHAPE_H

#include "passes/schedule/Place.h"

namespace orrery::passes {

/// C[m, n] = op(A)[m, k] op(B)[k, n], row-major; see rank.gemm. With `swapped`
/// A is the contraction's right operand and B its left one.
struct GemmShape {
  bool swapped = false;
  bool transposeA = false, transposeB = false;
  int64_t m = 1, n = 1, k = 1;
  int64_t lda = 1, ldb = 1, ldc = 1;
  int64_t batch = 1, strideA = 0, strideB = 0, strideC = 0;
};

/// Groups the letters of `equation` ("sbi,oi->sbo") into batch, m, n and k and
/// finds strides for each group; none when a group's dimensions are not
/// adjacent in memory.
///   "sbi,oi->sbo": m = (s b), n = o, k = i, B is transposed
///   "sbo,sbi->oi": m = o, n = i, k = (s b), A is transposed
std::optional<GemmShape> getGemmShape(llvm::StringRef equation, const Place &a,
                                      const Place &b, const Place &c);

} // namespace orrery::passes

#endif // ORRERY_PASSES_SCHEDULE_GEMMSHAPE_H
