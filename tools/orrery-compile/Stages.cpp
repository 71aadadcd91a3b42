// The stages and how they are run, timed and dumped.
#include "tools/orrery-compile/Stages.h"

#include "passes/differentiate/Passes.h"
#include "passes/fuse/Passes.h"
#include "passes/memory/Passes.h"
#include "passes/schedule/Passes.h"
#include "passes/shard/Passes.h"
#include "passes/stage/Passes.h"
#include "passes/update/Passes.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
using namespace orrery;

static int64_t getMicrobatches(const job::JobSpec &job) {
  const job::Parallel &parallel = job.parallel();
  return parallel.global_batch_size() /
         (parallel.micro_batch_size() * parallel.data());
}

std::vector<Stage> orrery::getStages(const job::JobSpec &job, StringRef target,
                                     int64_t deviceMemory,
                                     const Activations &activations,
                                     int64_t collectivePieces) {
  std::vector<Stage> stages;
  // cuBLASLt ends products with a bias or a gelu, OpenBLAS does not; only GPUs
  // have more than one stream.
  const bool gpu = target != "cpu";
  auto add = [&](StringRef name, std::function<void(OpPassManager &)> passes) {
    stages.push_back({name.str(), std::move(passes)});
  };
  add("differentiate", [=](OpPassManager &manager) {
    passes::DfgDifferentiateOptions options;
    options.recomputeLayers = job.parallel().recompute_layers();
    options.productEpilogues = gpu;
    options.keepOperands = activations.keepOperands;
    manager.addPass(passes::createDfgDifferentiate(options));
  });
  add("stage", [](OpPassManager &manager) {
    manager.addPass(passes::createDfgStage());
  });
  add("shard", [=](OpPassManager &manager) {
    passes::ShardOptions options;
    options.sequenceParallel = job.parallel().sequence_parallel();
    options.scatterGather = job.parallel().scatter_gather_pipeline();
    options.gatherAgain = activations.gatherAgain;
    passes::buildShardPipeline(manager, options);
  });
  add("update", [=](OpPassManager &manager) {
    manager.addPass(passes::createDfgUpdate(passes::getUpdateOptions(job)));
  });
  add("fuse", [=](OpPassManager &manager) {
    passes::FuseOptions options;
    // Two for each multiprocessor of an H100 or H200.
    options.partialSums = gpu ? 2 * 132 : 0;
    passes::buildFusePipeline(manager, options);
  });
  add("schedule", [=](OpPassManager &manager) {
    passes::RankScheduleOptions options;
    options.microbatches = getMicrobatches(job);
    manager.addPass(passes::createRankLower());
    if (gpu)
      manager.addPass(passes::createRankGemmEpilogue());
    passes::RankChunkCollectivesOptions chunks;
    chunks.pieces = collectivePieces;
    if (job.parallel().sequence_parallel() && chunks.pieces > 0)
      manager.addPass(passes::createRankChunkCollectives(chunks));
    if (gpu)
      manager.addPass(passes::createRankOverlapGradients());
    manager.addPass(passes::createRankOverwriteGradients());
    manager.addPass(passes::createRankSchedule(options));
  });
  add("memory", [=](OpPassManager &manager) {
    passes::RankMemoryOptions options;
    options.limit = deviceMemory;
    manager.addPass(passes::createRankMemory(options));
  });
  return stages;
}

static LogicalResult dump(ModuleOp module, const std::string &folder,
                          size_t number, const std::string &name) {
  if (folder.empty())
    return success();
  std::error_code error = llvm::sys::fs::create_directories(folder);
  std::string path =
      llvm::formatv("{0}/{1,0+2}-{2}.mlir", folder, number, name).str();
  if (!error) {
    llvm::ToolOutputFile file(path, error, llvm::sys::fs::OF_Text);
    if (!error) {
      module.print(file.os());
      file.keep();
      return success();
    }
  }
  llvm::errs() << "orrery-compile: error: cannot write " << path << ": "
               << error.message() << "\n";
  return failure();
}

LogicalResult orrery::runStages(ModuleOp module,
                                const std::vector<Stage> &stages,
                                const std::string &dumpFolder,
                                const std::string &stopAfter,
                                llvm::function_ref<void(StringRef)> enter) {
  size_t number = 1;
  if (failed(dump(module, dumpFolder, number, "model")))
    return failure();
  if (stopAfter == "model")
    return success();
  for (const Stage &stage : stages) {
    enter(stage.name);
    PassManager manager(module.getContext());
    manager.enableVerifier(true);
    stage.addPasses(manager);
    if (failed(manager.run(module)))
      return failure();
    if (failed(dump(module, dumpFolder, ++number, stage.name)))
      return failure();
    if (stage.name == stopAfter)
      return success();
  }
  return success();
}
