// The fuse stage in order.
#include "passes/fuse/Passes.h"

#include "mlir/Pass/PassManager.h"

void orrery::passes::buildFusePipeline(mlir::OpPassManager &pipeline) {
  pipeline.addPass(createDfgDecompose());
  pipeline.addPass(createDfgFuse());
}
