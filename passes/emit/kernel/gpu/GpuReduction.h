// Reductions over the threads that share a row.
#ifndef ORRERY_PASSES_EMIT_KERNEL_GPU_GPUREDUCTION_H
#define ORRERY_PASSES_EMIT_KERNEL_GPU_GPUREDUCTION_H

#include "passes/emit/kernel/RegionCode.h"
#include "passes/emit/kernel/gpu/GpuShape.h"

namespace orrery::passes {

/// Combines sums of threads in a fixed order: lanes of a thread, threads of a
/// warp by shuffles, warps through shared memory with one barrier for all sums
/// of a walk. Every thread gets the result, with the same bits.
///
/// Each combination has shared memory of its own, so that the next one's
/// barrier tells that everybody has read it. Where all threads of the block
/// count their turns (`setTurn`), even and odd ones have memory of their own,
/// and a row with one combination needs no second barrier.
///
/// Several rows at a time that take more than a warp each meet at the barriers
/// of the block, too.
class GpuReduction {
public:
  /// `thread` is the number in the block (i64). Also sets
  /// `code.synchronize`.
  GpuReduction(RegionCode &code, const GpuShape &shape, mlir::Value thread,
               llvm::StringRef kernel);

  /// Number of the thread among those of its row, of its row in the block.
  mlir::Value getLane() const { return lane; }
  mlir::Value getGroup() const { return group; }

  /// One number for each of `sums`, which `RegionCode::advance` returned.
  llvm::SmallVector<mlir::Value> combine(llvm::ArrayRef<dfg::ReduceOp> reduces,
                                         llvm::ArrayRef<mlir::Value> sums);
  /// The number of the row among those that the thread goes through (i64, from
  /// 0), which all threads of the block count alike.
  void setTurn(mlir::Value turn);
  /// Behind the last combination of a row, inside the loop over rows.
  void finishRow();
  /// Sums of the lanes of `value` over the rows at a time, from the first on;
  /// right in the threads of the first only.
  mlir::Value overGroups(mlir::Value value);
  /// Behind the last row of a loop with turns.
  void finishPart();
  /// Adds the shared memory that all combinations need to `module`.
  void declareMemory(mlir::ModuleOp module);

private:
  llvm::SmallVector<mlir::Value>
  combineAlike(llvm::ArrayRef<dfg::ReduceOp> reduces,
               llvm::ArrayRef<mlir::Value> sums);
  mlir::Value shuffle(mlir::Value value, int64_t distance);
  mlir::Value acrossLanes(dfg::Reduction kind, mlir::Value value,
                          int64_t threads);
  void barrier();
  mlir::Value addressOf(llvm::StringRef suffix);
  mlir::Value i32(int64_t value);

  RegionCode &code;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  int64_t warps; // that share a row; 1: one, or part of one
  int64_t threadsPerRow;
  int64_t groups; // rows at a time
  mlir::Value lane, group;
  llvm::StringRef kernelName;
  mlir::Value memory;
  mlir::Value parity; // of the turn; null: turns are not counted
  int64_t memoryBytes = 0;
  mlir::Value groupMemory;
  int64_t groupBytes = 0;
  int64_t barriers = 0;
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_KERNEL_GPU_GPUREDUCTION_H
