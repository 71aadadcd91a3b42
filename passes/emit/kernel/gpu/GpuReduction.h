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
/// barrier tells that everybody has read it.
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
  /// Behind the last combination of a row, inside the loop over rows.
  void finishRow();
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
  mlir::Value i32(int64_t value);

  RegionCode &code;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  int64_t warps; // that share a row; 1: one, or part of one
  int64_t threadsPerRow;
  mlir::Value lane, group;
  std::string memoryName;
  mlir::Value memory;
  int64_t memoryBytes = 0;
  int64_t barriers = 0;
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_KERNEL_GPU_GPUREDUCTION_H
