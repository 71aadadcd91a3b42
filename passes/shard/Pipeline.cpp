// The shard stage as one pipeline.
#include "passes/shard/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;
using namespace orrery::passes;

void orrery::passes::buildShardPipeline(OpPassManager &manager,
                                        const ShardOptions &options) {
  SeedPassOptions seed;
  seed.sequenceParallel = options.sequenceParallel;
  manager.addPass(createSeedPass(seed));
  manager.addPass(createPropagatePass());
  InsertReshardsPassOptions reshards;
  reshards.gatherAgain = options.gatherAgain;
  manager.addPass(createInsertReshardsPass(reshards));
  manager.addPass(createLocalizePass());
  if (options.scatterGather)
    manager.addPass(createScatterGatherPass());
}

namespace {
struct TextOptions : PassPipelineOptions<TextOptions> {
  Option<bool> sequenceParallel{
      *this, "sequence-parallel",
      llvm::cl::desc("Split the residual stream's positions over tp"),
      llvm::cl::init(false)};
  Option<bool> scatterGather{
      *this, "scatter-gather",
      llvm::cl::desc("Send a part per tp rank over stage cuts"),
      llvm::cl::init(false)};
  Option<bool> gatherAgain{
      *this, "gather-again",
      llvm::cl::desc("Gather in the backward again what the forward gathered"),
      llvm::cl::init(false)};
};
} // namespace

void orrery::passes::registerShardPasses() {
  registerShardStagePasses();
  PassPipelineRegistration<TextOptions>(
      "dfg-shard-pipeline",
      "Partitions training programs: seeds, propagation, reshards, local "
      "shapes and collectives",
      [](OpPassManager &manager, const TextOptions &options) {
        buildShardPipeline(manager,
                           {options.sequenceParallel, options.scatterGather,
                            options.gatherAgain});
      });
}
