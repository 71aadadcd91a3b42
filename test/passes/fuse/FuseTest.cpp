// A step of a small GPT before and after fusion, and each of its kernels
// against the interpreter.
#include "passes/differentiate/Passes.h"
#include "passes/fuse/Passes.h"
#include "passes/shard/Passes.h"
#include "passes/stage/Passes.h"
#include "passes/update/Passes.h"
#include "test/frontend/model/TinyGpt.h"
#include "test/passes/emit/kernel/KernelRun.h"

#include <gtest/gtest.h>
#include <set>

using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::passes;
using namespace orrery::test;

static auto passesOf(Layout layout, bool fuse, FuseOptions options = {}) {
  return [=](mlir::OpPassManager &manager) {
    manager.addPass(createDfgDifferentiate());
    manager.addPass(createDfgStage());
    ShardOptions shard;
    shard.sequenceParallel = layout.sequenceParallel;
    shard.scatterGather = true;
    buildShardPipeline(manager, shard);
    DfgUpdateOptions update;
    update.clip = 0.1;
    manager.addPass(createDfgUpdate(update));
    if (fuse)
      buildFusePipeline(manager, options);
  };
}

static void runStep(Interpreter &interpreter, const job::JobSpec &job) {
  ASSERT_TRUE(succeeded(interpreter.setParameters(tinyParameters(job))));
  for (auto [name, value] :
       {std::pair("loss_seed", 1.0), std::pair("lr", 0.01),
        std::pair("correction1", 0.1), std::pair("correction2", 0.001)})
    interpreter.setScalar(name, value);
  interpreter.zeroGradients();
  ASSERT_TRUE(succeeded(interpreter.run("train", tinyInputs())));
  ASSERT_TRUE(succeeded(interpreter.run("update", llvm::StringMap<Tensor>())));
}

class Fusion : public testing::TestWithParam<Layout> {};

static void expectSameStep(const Layout &layout, FuseOptions options) {
  job::JobSpec job = tinyJob(layout);
  TinyGpt plain(job, passesOf(layout, false));
  TinyGpt fused(job, passesOf(layout, true, options));
  ASSERT_TRUE(plain.isBuilt() && fused.isBuilt());
  Interpreter before(*plain), after(*fused);
  runStep(before, job);
  runStep(after, job);
  EXPECT_NEAR(*before.getMetric("lm_loss"), *after.getMetric("lm_loss"), 1e-12);
  for (auto &entry : tinyParameters(job)) {
    llvm::StringRef name = entry.getKey();
    EXPECT_LT(distance(*after.getGradient(name), *before.getGradient(name)),
              1e-9)
        << name.str();
    // Past the norm and clipping factor, which are f32 in the program.
    EXPECT_LT(distance(*after.getParameter(name), *before.getParameter(name)),
              1e-6)
        << name.str();
  }
}

TEST_P(Fusion, KeepsTheMeaningOfAStep) { expectSameStep(GetParam(), {}); }

TEST_P(Fusion, KeepsTheMeaningOfAStepWithPartialSums) {
  FuseOptions options;
  options.partialSums = 2;
  expectSameStep(GetParam(), options);
  TinyGpt gpt(tinyJob(GetParam()), passesOf(GetParam(), true, options));
  ASSERT_TRUE(gpt.isBuilt());
  int sums = 0;
  (*gpt).walk([&](dfg::PartialSumOp sum) {
    EXPECT_TRUE(mlir::isa<dfg::FusedOp>(sum->getParentOp()));
    ++sums;
  });
  EXPECT_GT(sums, 0);
}

TEST_P(Fusion, LeavesOnlyWhatHasAnInstruction) {
  TinyGpt gpt(tinyJob(GetParam()), passesOf(GetParam(), true));
  ASSERT_TRUE(gpt.isBuilt());
  (*gpt).walk([](mlir::Operation *op) {
    auto reduce = mlir::dyn_cast<dfg::ReduceOp>(op);
    bool isInside = mlir::isa_and_nonnull<dfg::FusedOp>(op->getParentOp());
    bool isColumnSum = reduce && reduce.getKind() == dfg::Reduction::Sum &&
                       reduce.getDims().front() == 0;
    EXPECT_TRUE(!op->hasTrait<dfg::Fusable>() || isInside || isColumnSum)
        << op->getName().getStringRef().str();
    EXPECT_FALSE((mlir::isa<dfg::LayerNormOp, dfg::LayerNormGradOp>(op)));
  });
}

TEST_P(Fusion, MakesKernelsThatComputeWhatTheInterpreterDoes) {
  TinyGpt gpt(tinyJob(GetParam()), passesOf(GetParam(), true));
  ASSERT_TRUE(gpt.isBuilt());
  KernelLibrary library((*gpt).getContext());
  std::set<unsigned> seen;
  (*gpt).walk([&](dfg::FusedOp fused) {
    auto call = library.add(fused);
    ASSERT_TRUE(succeeded(call));
    if (!seen.insert(call->kernel).second)
      return;
    RankContext context;
    context.mesh = dfg::getMesh(fused);
    context.rank = GetParam().numRanks() - 1;
    context.microbatch = 1;
    FusedKernel kernel(fused, context, cpuBackend(), 0);
    // Positive, as second moments and denominators are.
    Tensors inputs = kernel.makeInputs(1, 0.5, 2);
    Tensors actual = kernel.run(inputs), expected = kernel.expected(inputs);
    for (size_t i = 0; i < actual.size(); ++i)
      EXPECT_LT(distance(actual[i], expected[i]), 1e-5)
          << library.getKernels().back().description << ", result " << i;
  });
  // Layers share their kernels: the number does not grow with depth.
  EXPECT_LT(library.getKernels().size(), 40u);
  EXPECT_TRUE(succeeded(library.compile({})));
}

INSTANTIATE_TEST_SUITE_P(Layouts, Fusion,
                         testing::Values(Layout{1, 1, 1, false},
                                         Layout{1, 2, 2, false},
                                         Layout{2, 1, 2, true}));
