// rank-lower: replaces class modules by rank classes.
#include "passes/schedule/ClassLowering.h"
#include "passes/schedule/Passes.h"

namespace orrery::passes {
#define GEN_PASS_DEF_RANKLOWER
#include "passes/schedule/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery;

namespace {
struct RankLower : passes::impl::RankLowerBase<RankLower> {
  void runOnOperation() override {
    SmallVector<ModuleOp> classes(getOperation().getOps<ModuleOp>());
    for (ModuleOp classModule : classes) {
      passes::ClassLowering lowering(classModule, getOperation());
      if (failed(lowering.run()))
        return signalPassFailure();
      classModule.erase();
    }
  }
};
} // namespace
