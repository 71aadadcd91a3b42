// rank-schedule: one-forward-one-backward order of the programs of a step.
#include "passes/schedule/Passes.h"

namespace orrery::passes {
#define GEN_PASS_DEF_RANKSCHEDULE
#include "passes/schedule/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery;

namespace {
struct RankSchedule : passes::impl::RankScheduleBase<RankSchedule> {
  using RankScheduleBase::RankScheduleBase;

  void runOnOperation() override {
    auto mesh = getOperation()->getAttrOfType<dfg::MeshAttr>(dfg::kMeshAttr);
    if (!mesh) {
      getOperation().emitOpError("has no attribute ") << dfg::kMeshAttr;
      return signalPassFailure();
    }
    int64_t stages = mesh.getSize(StringAttr::get(&getContext(), "pp"));
    for (auto rankClass : getOperation().getOps<rank::ClassOp>())
      schedule(rankClass, stages);
  }

  void schedule(rank::ClassOp rankClass, int64_t numStages) {
    SmallVector<int64_t> warmups, slots;
    for (int64_t stage : rankClass.getStages()) {
      warmups.push_back(numStages - stage - 1);
      slots.push_back(std::clamp<int64_t>(warmups.back() + 1, 1, microbatches));
    }
    rankClass.setWarmups(warmups);
    rankClass.setSlots(slots);
    OpBuilder builder = OpBuilder::atBlockEnd(&rankClass.getBody().front());
    auto phases = [&](StringRef name, auto &&fill) {
      auto schedule =
          rank::ScheduleOp::create(builder, rankClass.getLoc(), name);
      OpBuilder inner =
          OpBuilder::atBlockBegin(&schedule.getBody().emplaceBlock());
      fill([&](rank::Count count, ArrayRef<StringRef> programs) {
        rank::PhaseOp::create(inner, rankClass.getLoc(), count,
                              inner.getStrArrayAttr(programs));
      });
    };
    using rank::Count;
    phases("train", [](auto phase) {
      phase(Count::First, {"forward"});
      phase(Count::Rest, {"forward", "backward"});
      phase(Count::First, {"backward"});
      phase(Count::Once, {"update"});
    });
    phases("evaluate", [](auto phase) {
      phase(Count::All, {"evaluate"});
      phase(Count::Once, {"evaluate_finish"});
    });
  }
};
} // namespace
