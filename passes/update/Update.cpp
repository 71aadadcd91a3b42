// dfg-update: groups parameters into buckets and writes the optimizer step.
#include "passes/update/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/update/Optimizer.h"
#include "passes/update/Step.h"

namespace orrery::passes {
#define GEN_PASS_DEF_DFGUPDATE
#include "passes/update/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery;
using namespace orrery::dfg;
using namespace orrery::passes;

DfgUpdateOptions orrery::passes::getUpdateOptions(const job::JobSpec &job) {
  const job::Train &train = job.train();
  DfgUpdateOptions options;
  options.optimizer = train.optimizer() == job::Train::SGD ? "sgd" : "adam";
  options.beta1 = train.adam_beta1();
  options.beta2 = train.adam_beta2();
  options.epsilon = train.adam_eps();
  options.momentum = train.sgd_momentum();
  options.weightDecay = train.weight_decay();
  options.clip = train.clip_grad();
  job::DataType type = job.model().dtype();
  options.scaledLoss =
      type == job::FLOAT16 ||
      (type == job::BFLOAT16 && train.constant_loss_scale() != 0);
  options.logParamsNorm = job.runtime().log_params_norm();
  options.logNumZeros = job.runtime().log_num_zeros();
  return options;
}

namespace {
struct DfgUpdatePass : orrery::passes::impl::DfgUpdateBase<DfgUpdatePass> {
  using DfgUpdateBase::DfgUpdateBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    MeshAttr mesh = getMesh(module);
    if (!mesh) {
      module.emitOpError("has no 'dfg.mesh'");
      return signalPassFailure();
    }
    FailureOr<DfgUpdateOptions> options = checkedOptions();
    if (failed(options))
      return signalPassFailure();
    SmallVector<ModuleOp> classes(module.getOps<ModuleOp>());
    if (classes.empty()) {
      module.emitOpError("has no rank class; run dfg-stage first");
      return signalPassFailure();
    }
    for (ModuleOp rankClass : classes)
      if (failed(runOnClass(rankClass, mesh, *options)))
        return signalPassFailure();
  }

  LogicalResult runOnClass(ModuleOp rankClass, MeshAttr mesh,
                           const DfgUpdateOptions &options) {
    if (rankClass.lookupSymbol("update"))
      return rankClass.emitOpError("has an @update already");
    auto buckets = makeBuckets(rankClass, mesh, getStates(options));
    if (failed(buckets))
      return failure();
    StepBuilder step(rankClass, mesh, options, *buckets);
    step.buildUpdate();
    step.buildEvaluateFinish();
    return success();
  }

  FailureOr<DfgUpdateOptions> checkedOptions() {
    auto reject = [&](StringRef option, auto value, StringRef legal) {
      emitError(getOperation().getLoc())
          << option << " is " << value << ", it must be " << legal;
      return failure();
    };
    if (optimizer != "adam" && optimizer != "sgd")
      return reject("optimizer", optimizer.getValue(), "adam or sgd");
    if (clip < 0)
      return reject("clip", clip.getValue(), "0 (no clipping) or larger");
    DfgUpdateOptions options;
    options.optimizer = optimizer;
    options.beta1 = beta1;
    options.beta2 = beta2;
    options.epsilon = epsilon;
    options.momentum = momentum;
    options.weightDecay = weightDecay;
    options.clip = clip;
    options.scaledLoss = scaledLoss;
    options.logParamsNorm = logParamsNorm;
    options.logNumZeros = logNumZeros;
    return options;
  }
};
} // namespace
