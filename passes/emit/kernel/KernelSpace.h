// How a fused region is walked: which values have columns, and in which of the
// walks over a row each value is known.
#ifndef ORRERY_PASSES_EMIT_KERNEL_KERNELSPACE_H
#define ORRERY_PASSES_EMIT_KERNEL_KERNELSPACE_H

#include "passes/fuse/Group.h"
#include "llvm/ADT/SetVector.h"

namespace orrery::passes {

/// The iteration space of a fused op as rows × columns.
///
/// A value with the last dimension is computed column by column, any other
/// once per row. A row reduction is known after a walk over the row, so each
/// value has a *walk*: 0 when no reduction precedes it, else one more than the
/// largest walk of the reductions it needs. Layer norm takes three:
///
///   walk 0: sum of x      walk 1: sum of (x - mean)^2      walk 2: result
struct KernelSpace {
  llvm::SmallVector<int64_t> shape;
  int64_t rows = 1;
  int64_t columns = 1;
  /// Rows of the sums by `dfg.partial_sum`; 0: there are none.
  int64_t parts = 0;
  /// Every element stands alone: rows are elements, and there is no column.
  bool flat = false;
  llvm::DenseMap<mlir::Value, SpaceDims> dims;
  llvm::DenseMap<mlir::Value, int64_t> walk;
  int64_t numWalks = 1;
  /// Sums of exp(x - max x) that are taken in the walk of the maximum, see
  /// `joinSoftmax`; by the sum.
  llvm::DenseMap<dfg::ReduceOp, dfg::ReduceOp> joinedMaxima;

  /// Emits an error when a value's place in the space cannot be told.
  static mlir::FailureOr<KernelSpace> get(dfg::FusedOp fused);

  /// Saves a walk over the row for each softmax in f32: behind the elements
  /// with maximum m, the sum is known relative to m, and it moves to a larger
  /// maximum n when multiplied by exp(m - n).
  void joinSoftmax(dfg::FusedOp fused);

  bool hasColumns(mlir::Value value) const {
    const SpaceDims &own = dims.find(value)->second;
    return !own.empty() && own.back() + 1 == static_cast<int64_t>(shape.size());
  }
  bool isFull(mlir::Value value) const {
    return dims.find(value)->second.size() == shape.size();
  }
  /// One number for the whole launch.
  bool isUniform(mlir::Value value) const {
    return dims.find(value)->second.empty() && walk.lookup(value) == 0;
  }
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_KERNEL_KERNELSPACE_H
