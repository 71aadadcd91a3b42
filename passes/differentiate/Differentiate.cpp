// dfg-differentiate: appends the backward and chooses what is kept for it.
#include "passes/differentiate/Passes.h"

#include "mlir/IR/Remarks.h"
#include "passes/differentiate/Backward.h"
#include "passes/differentiate/Stash.h"

namespace orrery::passes {
#define GEN_PASS_DEF_DFGDIFFERENTIATE
#include "passes/differentiate/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

/// The function's objective; null when it has none, failure when it has two.
static FailureOr<MetricOp> findObjective(func::FuncOp function) {
  MetricOp objective;
  for (MetricOp metric : function.getOps<MetricOp>()) {
    if (!metric.getObjective())
      continue;
    if (objective) {
      InFlightDiagnostic error =
          metric.emitOpError("is the second objective of @")
          << function.getSymName() << ", a function has at most one";
      error.attachNote(objective.getLoc()) << "the first is here";
      return failure();
    }
    objective = metric;
  }
  return objective;
}

static void report(const Stash &stash) {
  for (auto &[value, choice] : stash) {
    StringRef op = value.getDefiningOp()->getName().getStringRef();
    remark::analysis(value.getLoc(), remark::RemarkOpts::name(
                                         choice.keep ? "Keep" : "Recompute")
                                         .category("dfg-differentiate"))
        << (op + ": " + choice.reason).str()
        << remark::metric("Bytes", choice.bytes);
  }
}

namespace {
struct DfgDifferentiatePass
    : orrery::passes::impl::DfgDifferentiateBase<DfgDifferentiatePass> {
  using DfgDifferentiateBase::DfgDifferentiateBase;

  void runOnOperation() override {
    if (recomputeLayers < 0) {
      emitError(getOperation().getLoc())
          << "recompute-layers is " << recomputeLayers.getValue()
          << ", the least is 0";
      return signalPassFailure();
    }
    bool found = false;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      FailureOr<MetricOp> objective = findObjective(function);
      if (failed(objective))
        return signalPassFailure();
      if (!*objective)
        continue;
      found = true;
      if (failed(differentiate(function, *objective)))
        return signalPassFailure();
    }
    if (!found) {
      emitError(getOperation().getLoc())
          << "no function has a dfg.metric with 'objective'";
      signalPassFailure();
    }
  }

  LogicalResult differentiate(func::FuncOp function, MetricOp objective) {
    if (!function.getOps<BeginBackwardOp>().empty())
      return function.emitOpError("has a backward already");
    FailureOr<BeginBackwardOp> begin = appendBackward(function, objective);
    if (failed(begin))
      return failure();
    eraseDeadBackward(*begin);
    Stash stash =
        chooseStash(*begin, {recomputeLayers, productEpilogues, keepOperands});
    report(stash);
    rematerialize(*begin, stash);
    return success();
  }
};
} // namespace
