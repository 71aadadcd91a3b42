// Checks that several verifiers share: one message for a wrong shape, one for a
// wrong element type.
#ifndef ORRERY_DIALECTS_DFG_VERIFY_SHAPECHECK_H
#define ORRERY_DIALECTS_DFG_VERIFY_SHAPECHECK_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include <string>

namespace orrery::dfg {

/// "64x4x32"; "scalar" for rank 0.
std::string shapeText(llvm::ArrayRef<int64_t> shape);

/// Fails with "<what> has shape 4x8, <source> asks for 4x9" unless `type` has
/// the shape `expected`.
llvm::LogicalResult checkShape(mlir::Operation *op, llvm::StringRef what,
                               mlir::RankedTensorType type,
                               llvm::ArrayRef<int64_t> expected,
                               llvm::StringRef source);

/// Fails with "<what> has 3 dimensions, must have 4".
llvm::LogicalResult checkRank(mlir::Operation *op, llvm::StringRef what,
                              mlir::RankedTensorType type, int64_t rank);

/// Fails with "<what> has elements of type f32, must have f64".
llvm::LogicalResult checkElement(mlir::Operation *op, llvm::StringRef what,
                                 mlir::RankedTensorType type,
                                 mlir::Type element);

/// Fails with "<what> is 3, must be at least 0 and below 3".
llvm::LogicalResult checkInRange(mlir::Operation *op, llvm::StringRef what,
                                 int64_t value, int64_t limit);

/// `shape` with `size` appended.
llvm::SmallVector<int64_t> append(llvm::ArrayRef<int64_t> shape, int64_t size);

} // namespace orrery::dfg

#endif // ORRERY_DIALECTS_DFG_VERIFY_SHAPECHECK_H
