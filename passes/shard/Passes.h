// Passes of the shard stage: from global tensors to one rank's program.
#ifndef ORRERY_PASSES_SHARD_PASSES_H
#define ORRERY_PASSES_SHARD_PASSES_H

#include "dialects/dfg/DfgDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace orrery::passes {

/// Unit attribute of ops whose result is the residual stream.
inline constexpr llvm::StringLiteral kResidualAttr = "dfg.residual";
/// Unit attribute of the outermost module: sequence parallelism is on.
inline constexpr llvm::StringLiteral kSequenceParallelAttr =
    "dfg.sequence_parallel";
/// The axes that split each factor of an op, one array per factor; written by
/// dfg-propagate, read by dfg-insert-reshards, removed by dfg-localize.
inline constexpr llvm::StringLiteral kFactorsAttr = "dfg.factors";

#define GEN_PASS_DECL
#include "passes/shard/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "passes/shard/Passes.h.inc"

/// Options of the stage; each is that of the pass of the same word.
struct ShardOptions {
  bool sequenceParallel = false;
  bool scatterGather = false;
  bool gatherAgain = false;
};

/// Appends the stage to `manager`, which runs on the outermost module.
void buildShardPipeline(mlir::OpPassManager &manager,
                        const ShardOptions &options);
/// Registers the passes and `dfg-shard-pipeline`.
void registerShardPasses();

} // namespace orrery::passes

#endif // ORRERY_PASSES_SHARD_PASSES_H
