// What a kernel does with the matrix product that it reads.
#ifndef ORRERY_PASSES_SCHEDULE_PRODUCTENDING_H
#define ORRERY_PASSES_SCHEDULE_PRODUCTENDING_H

#include "dialects/rank/RankDialect.h"

namespace orrery::passes {

/// The part of a fused region that an epilogue of rank.gemm can do. Values are
/// of the region.
struct ProductEnding {
  rank::Epilogue epilogue = rank::Epilogue::None;
  llvm::SmallVector<mlir::Operation *, 3> ops;
  mlir::Value bias;   ///< an argument; null without a bias
  mlir::Value aux;    ///< an argument: what gelu_grad reads; null otherwise
  mlir::Value result; ///< yielded once; becomes C
  mlir::Value sum;    ///< x + bias under a gelu, else null; becomes aux
};

/// What becomes of `product`, an argument of a dfg.fused, whose last dimensions
/// are the `columns` of a matrix:
///   add(x, [b])              bias
///   gelu(add(x, [b]))        bias_gelu
///   gelu_grad(x, z)          gelu_grad
/// Other ops of the region may use the result and the sum, but no other value
/// of `ops`. On failure `reason` says what else the region does with it.
mlir::FailureOr<ProductEnding> findEnding(mlir::BlockArgument product,
                                          int64_t columns,
                                          llvm::StringRef &reason);

} // namespace orrery::passes

#endif // ORRERY_PASSES_SCHEDULE_PRODUCTENDING_H
