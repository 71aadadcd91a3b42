// dfg-seed: the placements that the job asks for.
#include "passes/shard/Passes.h"

namespace orrery::passes {
#define GEN_PASS_DEF_SEEDPASS
#include "passes/shard/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

namespace {
class Seeder {
public:
  Seeder(ModuleOp module, MeshAttr mesh, bool sequenceParallel)
      : module(module), mesh(mesh), sequenceParallel(sequenceParallel),
        tp(StringAttr::get(module.getContext(), "tp")),
        dp(StringAttr::get(module.getContext(), "dp")) {}

  LogicalResult run();

private:
  LogicalResult seedParameter(ParameterOp parameter);
  LogicalResult seedArguments(func::FuncOp function);
  LogicalResult seedOp(Operation *op);
  FailureOr<Sharding> residual(Operation *op, Value value);
  LogicalResult split(Operation *op, Sharding &sharding, RankedTensorType type,
                      int64_t dim, StringAttr axis, const Twine &what);
  template <typename Op> FailureOr<ShardingAttr> ofParameter(Op op);

  ModuleOp module;
  MeshAttr mesh;
  bool sequenceParallel;
  StringAttr tp, dp;
  SymbolTableCollection symbols;
};
} // namespace

/// Splits dimension `dim` over `axis` unless the axis has size 1.
LogicalResult Seeder::split(Operation *op, Sharding &sharding,
                            RankedTensorType type, int64_t dim, StringAttr axis,
                            const Twine &what) {
  int64_t parts = mesh.getSize(axis), size = type.getDimSize(dim);
  if (parts == 1)
    return success();
  if (size % parts != 0) {
    int64_t nearest = std::max<int64_t>((size + parts / 2) / parts, 1) * parts;
    return op->emitOpError()
           << "cannot split " << what << " (dimension " << dim << ") of size "
           << size << " evenly over axis " << axis.getValue() << " of size "
           << parts << "; the nearest legal size is " << nearest;
  }
  sharding.dims[dim].push_back(axis);
  return success();
}

LogicalResult Seeder::seedParameter(ParameterOp parameter) {
  if (parameter.getSharding())
    return success();
  auto type = cast<RankedTensorType>(parameter.getType());
  Sharding sharding = Sharding::replicated(type.getRank());
  StringRef role = parameter.getRole();
  int64_t dim = role == "row" ? type.getRank() - 1 : 0;
  if (role != "replicated" &&
      failed(split(parameter, sharding, type, dim, tp,
                   "the " + role + " dimension of a parameter")))
    return failure();
  parameter.setShardingAttr(sharding.toAttr(module.getContext()));
  return success();
}

LogicalResult Seeder::seedArguments(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments()) {
    if (getSharding(argument))
      continue;
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      return function.emitOpError()
             << "argument " << argument.getArgNumber()
             << " is no ranked tensor but " << argument.getType();
    Sharding sharding = Sharding::replicated(type.getRank());
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                      kInputAttr);
    if (name && type.getRank() > 1 &&
        failed(split(function, sharding, type, 1, dp,
                     "the samples of input '" + name.getValue() + "'")))
      return failure();
    setSharding(argument, sharding);
  }
  return success();
}

/// The placement of the residual stream, [position, sample, feature].
FailureOr<Sharding> Seeder::residual(Operation *op, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  Sharding sharding = Sharding::replicated(type.getRank());
  if (type.getRank() < 2)
    return op->emitOpError() << "is on the residual stream, whose values are "
                                "[position, sample, …]; this one has rank "
                             << type.getRank();
  if (sequenceParallel &&
      failed(split(op, sharding, type, 0, tp, "the sequence")))
    return failure();
  if (failed(split(op, sharding, type, 1, dp, "the samples")))
    return failure();
  return sharding;
}

template <typename Op> FailureOr<ShardingAttr> Seeder::ofParameter(Op op) {
  auto parameter =
      symbols.lookupNearestSymbolFrom<ParameterOp>(op, op.getParameterAttr());
  if (!parameter)
    return op.emitOpError() << "names the parameter " << op.getParameterAttr()
                            << ", which does not exist here";
  return *parameter.getSharding();
}

LogicalResult Seeder::seedOp(Operation *op) {
  auto setOperandSeed = [&](Attribute seed) {
    op->setAttr(kShardingAttr, ArrayAttr::get(op->getContext(), {seed}));
  };
  if (auto weight = dyn_cast<WeightOp>(op)) {
    FailureOr<ShardingAttr> sharding = ofParameter(weight);
    if (failed(sharding))
      return failure();
    setSharding(weight.getResult(), Sharding::get(*sharding));
  } else if (auto accumulate = dyn_cast<AccumulateGradOp>(op)) {
    FailureOr<ShardingAttr> sharding = ofParameter(accumulate);
    if (failed(sharding))
      return failure();
    setOperandSeed(*sharding);
  } else if (auto send = dyn_cast<SendOp>(op)) {
    FailureOr<Sharding> sharding = residual(op, send.getOperand());
    if (failed(sharding))
      return failure();
    setOperandSeed(sharding->toAttr(op->getContext()));
  } else if (isa<ReceiveOp>(op) || op->hasAttr(kResidualAttr)) {
    if (op->getNumResults() == 0)
      return op->emitOpError() << "has " << kResidualAttr << " but no result";
    if (getSharding(op->getResult(0)))
      return success();
    FailureOr<Sharding> sharding = residual(op, op->getResult(0));
    if (failed(sharding))
      return failure();
    setSharding(op->getResult(0), *sharding);
  }
  return success();
}

LogicalResult Seeder::run() {
  WalkResult result = module.walk([&](ParameterOp parameter) {
    return WalkResult(seedParameter(parameter));
  });
  if (result.wasInterrupted())
    return failure();
  result = module.walk([&](func::FuncOp function) {
    if (failed(seedArguments(function)))
      return WalkResult::interrupt();
    return function.walk([&](Operation *op) { return WalkResult(seedOp(op)); });
  });
  return failure(result.wasInterrupted());
}

namespace {
struct SeedPass : orrery::passes::impl::SeedPassBase<SeedPass> {
  using SeedPassBase::SeedPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    MeshAttr mesh = getMesh(module);
    if (!mesh) {
      module.emitOpError() << "has no mesh: " << kMeshAttr
                           << " = #dfg.mesh<…> is missing";
      return signalPassFailure();
    }
    bool sequence = sequenceParallel || module->hasAttr(kSequenceParallelAttr);
    if (failed(Seeder(module, mesh, sequence).run()))
      signalPassFailure();
  }
};
} // namespace
