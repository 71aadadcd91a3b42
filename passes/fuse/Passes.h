// The fuse stage: norms are written out, then fusable ops become kernels.
#ifndef ORRERY_PASSES_FUSE_PASSES_H
#define ORRERY_PASSES_FUSE_PASSES_H

#include "dialects/dfg/DfgDialect.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace orrery::passes {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/fuse/Passes.h.inc"

/// What the device wants of the stage.
struct FuseOptions {
  /// Parts of dfg-split-column-sums; 0: no such pass.
  int64_t partialSums = 0;
};

/// Appends the stage to a pipeline over the outermost module.
void buildFusePipeline(mlir::OpPassManager &pipeline,
                       const FuseOptions &options = {});

} // namespace orrery::passes

#endif // ORRERY_PASSES_FUSE_PASSES_H
