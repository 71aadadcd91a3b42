// dfg-stage: cuts the program into pipeline stages and rank classes.
#include "passes/stage/Passes.h"

#include "mlir/IR/OperationSupport.h"
#include "passes/stage/FunctionCut.h"

namespace orrery::passes {
#define GEN_PASS_DEF_DFGSTAGE
#include "passes/stage/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

/// Stages that read each parameter, ascending.
using ParameterStages = DenseMap<Attribute, SmallVector<int64_t, 2>>;

static ParameterStages findParameterStages(ModuleOp module,
                                           const StageLayout &layout) {
  ParameterStages stages;
  module.walk([&](WeightOp weight) {
    auto &list = stages[weight.getParameterAttr().getAttr()];
    int64_t stage = layout.stageOf(weight);
    if (!llvm::is_contained(list, stage))
      list.insert(llvm::upper_bound(list, stage), stage);
  });
  return stages;
}

namespace {
/// Builds the module of each stage and folds equal neighbours.
class StageBuilder {
public:
  StageBuilder(ModuleOp module, const StageLayout &layout)
      : module(module), layout(layout), symbols(module),
        builder(module.getContext()) {}

  LogicalResult run();

private:
  ModuleOp buildStage(int64_t stage);
  void buildParameters(int64_t stage);
  void closeClass(ModuleOp rankClass, int64_t first, int64_t last);
  void eraseGlobalProgram();

  ModuleOp module;
  StageLayout layout;
  SymbolTable symbols;
  OpBuilder builder;
  ParameterStages parameterStages;
  SmallVector<SmallVector<ParameterOp>> parametersOf; // per stage
  SmallVector<FunctionCut> cuts;
};
} // namespace

void StageBuilder::buildParameters(int64_t stage) {
  for (ParameterOp parameter : parametersOf[stage]) {
    auto copy = cast<ParameterOp>(builder.clone(*parameter.getOperation()));
    makeRelative(copy, layout.firstLayer(stage), symbols);
    ArrayRef<int64_t> owners = parameterStages[parameter.getSymNameAttr()];
    if (owners.size() > 1) {
      copy.setTied(true);
      copy.setOwners(owners);
    }
  }
}

ModuleOp StageBuilder::buildStage(int64_t stage) {
  builder.setInsertionPointToEnd(module.getBody());
  auto part = ModuleOp::create(builder, module.getLoc());
  builder.setInsertionPointToEnd(part.getBody());
  buildParameters(stage);
  for (FunctionCut &cut : cuts)
    cut.buildStage(stage, builder, symbols);
  return part;
}

void StageBuilder::closeClass(ModuleOp rankClass, int64_t first, int64_t last) {
  std::string name = "stage" + std::to_string(first);
  if (last > first)
    name += "-" + std::to_string(last);
  SmallVector<int64_t> stages, firstLayers;
  for (int64_t stage = first; stage <= last; ++stage) {
    stages.push_back(stage);
    firstLayers.push_back(layout.firstLayer(stage));
  }
  rankClass.setSymName(name);
  rankClass->setAttr(kStagesAttr, builder.getDenseI64ArrayAttr(stages));
  rankClass->setAttr(kFirstLayersAttr,
                     builder.getDenseI64ArrayAttr(firstLayers));
}

void StageBuilder::eraseGlobalProgram() {
  for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
    if (isa<ParameterOp, func::FuncOp>(op))
      op.erase();
}

LogicalResult StageBuilder::run() {
  for (auto function : module.getOps<func::FuncOp>()) {
    FailureOr<FunctionCut> cut = FunctionCut::get(function, layout);
    if (failed(cut))
      return failure();
    cuts.push_back(std::move(*cut));
  }
  parameterStages = findParameterStages(module, layout);
  parametersOf.resize(layout.numStages);
  for (auto parameter : module.getOps<ParameterOp>()) {
    auto stages = parameterStages.find(parameter.getSymNameAttr());
    if (stages == parameterStages.end())
      return parameter.emitOpError("is not read by any stage");
    for (int64_t stage : stages->second)
      parametersOf[stage].push_back(parameter);
  }

  ModuleOp rankClass = buildStage(0);
  int64_t first = 0;
  for (int64_t stage = 1; stage < layout.numStages; ++stage) {
    ModuleOp next = buildStage(stage);
    // Equal programs exchange equal messages with their neighbours.
    if (OperationEquivalence::isRegionEquivalentTo(
            &rankClass.getBodyRegion(), &next.getBodyRegion(),
            OperationEquivalence::IgnoreLocations)) {
      next.erase();
      continue;
    }
    closeClass(rankClass, first, stage - 1);
    rankClass = next;
    first = stage;
  }
  closeClass(rankClass, first, layout.numStages - 1);
  eraseGlobalProgram();
  return success();
}

namespace {
struct DfgStagePass : orrery::passes::impl::DfgStageBase<DfgStagePass> {
  using DfgStageBase::DfgStageBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<StageLayout> layout = StageLayout::get(module);
    if (failed(layout) || failed(StageBuilder(module, *layout).run()))
      signalPassFailure();
  }
};
} // namespace
