// The fuse stage in order.
#include "passes/fuse/Passes.h"

#include "mlir/Pass/PassManager.h"

void orrery::passes::buildFusePipeline(mlir::OpPassManager &pipeline,
                                       const FuseOptions &options) {
  pipeline.addPass(createDfgDecompose());
  if (options.partialSums > 0) {
    DfgSplitColumnSumsOptions split;
    split.parts = options.partialSums;
    pipeline.addPass(createDfgSplitColumnSums(split));
  }
  pipeline.addPass(createDfgFuse());
}
