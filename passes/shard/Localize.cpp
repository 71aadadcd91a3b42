// dfg-localize: one rank's shapes, and collectives for reshards.
#include "passes/analysis/FactorAxes.h"
#include "passes/analysis/ReshardPath.h"
#include "passes/shard/Passes.h"

#include "mlir/IR/Remarks.h"

namespace orrery::passes {
#define GEN_PASS_DEF_LOCALIZEPASS
#include "passes/shard/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

namespace {
class Localizer {
public:
  Localizer(func::FuncOp function, MeshAttr mesh)
      : function(function), mesh(mesh) {}

  LogicalResult run();

private:
  LogicalResult localize(Operation *op);
  LogicalResult addOffsets(ShardableOpInterface op);
  LogicalResult lower(ReshardOp op);
  Value collective(OpBuilder &builder, ReshardOp op, Value operand,
                   const ReshardStep &step, Reduction reduction);
  LogicalResult setLocalType(Value value);

  func::FuncOp function;
  MeshAttr mesh;
};
} // namespace

LogicalResult Localizer::setLocalType(Value value) {
  std::optional<Sharding> sharding = getSharding(value);
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Operation *op = value.getDefiningOp();
  if (!sharding || !type ||
      sharding->dims.size() != static_cast<size_t>(type.getRank()))
    return (op ? op : function.getOperation())->emitOpError()
           << "has a value of type " << value.getType() << " without a "
           << kShardingAttr << " that fits; run dfg-insert-reshards first";
  for (auto [dim, axes] : llvm::enumerate(sharding->dims))
    if (type.getDimSize(dim) % mesh.getSize(axes) != 0)
      return (op ? op : function.getOperation())->emitOpError()
             << "splits dimension " << dim << " of size "
             << type.getDimSize(dim) << " into " << mesh.getSize(axes)
             << " parts, which does not divide evenly";
  value.setType(sharding->localType(type, mesh));
  return success();
}

/// Tells the op how its factors are split, which all its operands and results
/// must agree on.
LogicalResult Localizer::addOffsets(ShardableOpInterface op) {
  FactorAxes factors(op.getShardingRule(), mesh);
  const ShardingRule &rule = factors.getRule();
  auto each = [&](auto &&action) -> LogicalResult {
    for (auto [index, value] : llvm::enumerate(op->getOperands()))
      if (failed(action(value, rule.operands[index], "operand", index)))
        return failure();
    for (auto [index, value] : llvm::enumerate(op->getResults()))
      if (failed(action(value, rule.results[index], "result", index)))
        return failure();
    return success();
  };
  using Name = StringRef;
  if (failed(each([&](Value value, const TensorFactors &tensor, Name what,
                      size_t index) -> LogicalResult {
        std::optional<Sharding> state = getSharding(value);
        if (!state)
          return op.emitOpError()
                 << what << " " << index << " has no " << kShardingAttr;
        factors.claim(tensor, state->dims);
        return success();
      })))
    return failure();
  if (failed(each([&](Value value, const TensorFactors &tensor, Name what,
                      size_t index) -> LogicalResult {
        Sharding state = *getSharding(value);
        if (ArrayRef(state.dims) == ArrayRef(factors.placement(tensor)))
          return success();
        Sharding needed = state;
        needed.dims = factors.placement(tensor);
        return op.emitOpError()
               << "cannot run on shards: " << what << " " << index
               << " lies as " << state.toAttr(op.getContext())
               << ", its factors need " << needed.toAttr(op.getContext());
      })))
    return failure();
  op.addShardOffsets(factors.getAxes(), mesh);
  return success();
}

static RankedTensorType resize(Value value, int64_t dim, int64_t size) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = size;
  return RankedTensorType::get(shape, type.getElementType());
}

Value Localizer::collective(OpBuilder &builder, ReshardOp op, Value operand,
                            const ReshardStep &step, Reduction reduction) {
  Location loc = op.getLoc();
  int64_t parts = mesh.getSize(step.axes);
  auto shape = cast<RankedTensorType>(operand.getType()).getShape();
  ArrayAttr axes = builder.getArrayAttr(
      SmallVector<Attribute>(step.axes.begin(), step.axes.end()));
  IntegerAttr dim = builder.getI64IntegerAttr(step.dim);
  switch (step.kind) {
  case Collective::AllReduce:
    return AllReduceOp::create(builder, loc, operand.getType(), reduction,
                               operand, axes, DenseI64ArrayAttr());
  case Collective::ReduceScatter:
    return ReduceScatterOp::create(
        builder, loc, resize(operand, step.dim, shape[step.dim] / parts),
        operand, axes, dim);
  case Collective::AllGather:
    return AllGatherOp::create(
        builder, loc, resize(operand, step.dim, shape[step.dim] * parts),
        operand, axes, dim);
  case Collective::AllSlice:
    return AllSliceOp::create(
        builder, loc, resize(operand, step.dim, shape[step.dim] / parts),
        operand, axes, dim);
  case Collective::AllToAll: {
    RankedTensorType type = resize(operand, step.dim, shape[step.dim] * parts);
    SmallVector<int64_t> sizes(type.getShape());
    sizes[step.split] /= parts;
    return AllToAllOp::create(
        builder, loc, RankedTensorType::get(sizes, type.getElementType()),
        operand, axes, builder.getI64IntegerAttr(step.split), dim);
  }
  }
  llvm_unreachable("all kinds are handled");
}

/// Remarks what a collective does for a reshard, and what it moves.
static void explain(Operation *made, const ReshardStep &step, ReshardOp op) {
  auto remark = remark::passed(
      op.getLoc(),
      remark::RemarkOpts::name("collective").category("dfg-localize"));
  if (!remark)
    return;
  auto bytes = [](Value value) {
    return localBytes(cast<RankedTensorType>(value.getType()), {}, MeshAttr());
  };
  std::string axes;
  for (StringAttr axis : step.axes)
    axes += (axes.empty() ? "" : ":") + axis.str();
  int64_t larger =
      std::max(bytes(made->getOperand(0)), bytes(made->getResult(0)));
  remark << made->getName().getStringRef().str() + " over " + axes + " of " +
                std::to_string(larger) + " bytes on each rank";
}

/// Replaces a reshard by the collectives of the cheapest path.
LogicalResult Localizer::lower(ReshardOp op) {
  Sharding source = Sharding::get(op.getSource()),
           target = Sharding::get(op.getTarget());
  std::optional<ReshardPath> path = findReshardPath(
      source, target, cast<RankedTensorType>(op.getType()), mesh);
  if (!path)
    return op.emitOpError() << "has no path of collectives from "
                            << op.getSource() << " to " << op.getTarget();
  OpBuilder builder(op);
  Value value = op.getOperand();
  for (const ReshardStep &step : path->steps) {
    value = collective(builder, op, value, step, source.reduction);
    Operation *made = value.getDefiningOp();
    made->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    setSharding(value, step.after);
    explain(made, step, op);
  }
  op.getResult().replaceAllUsesWith(value);
  op.erase();
  return success();
}

LogicalResult Localizer::localize(Operation *op) {
  op->removeAttr(kFactorsAttr);
  if (auto reshard = dyn_cast<ReshardOp>(op))
    return lower(reshard);
  for (OpResult result : op->getResults())
    if (failed(setLocalType(result)))
      return failure();
  return success();
}

LogicalResult Localizer::run() {
  SmallVector<Operation *> order;
  for (Operation &op : function.getBody().front())
    order.push_back(&op);
  // Factor rules speak of global shapes: ask for all before any type changes.
  for (Operation *op : order)
    if (auto shardable = dyn_cast<ShardableOpInterface>(op))
      if (failed(addOffsets(shardable)))
        return failure();
  for (BlockArgument argument : function.getArguments())
    if (failed(setLocalType(argument)))
      return failure();
  for (Operation *op : order)
    if (failed(localize(op)))
      return failure();
  Operation *end = function.getBody().front().getTerminator();
  function.setType(FunctionType::get(function.getContext(),
                                     function.getBody().getArgumentTypes(),
                                     end->getOperandTypes()));
  for (auto [index, value] : llvm::enumerate(end->getOperands()))
    function.setResultAttr(index, kShardingAttr,
                           getSharding(value)->toAttr(function.getContext()));
  return success();
}

static LogicalResult localizeParameter(ParameterOp parameter, MeshAttr mesh) {
  auto type = cast<RankedTensorType>(parameter.getType());
  if (parameter.getGlobalType())
    return parameter.emitOpError()
           << "is local already: global_type is " << *parameter.getGlobalType();
  if (!parameter.getSharding())
    return parameter.emitOpError() << "has no sharding; run dfg-seed first";
  Sharding sharding = Sharding::get(*parameter.getSharding());
  parameter.setGlobalTypeAttr(TypeAttr::get(type));
  parameter.setTypeAttr(TypeAttr::get(sharding.localType(type, mesh)));
  return success();
}

namespace {
struct LocalizePass : orrery::passes::impl::LocalizePassBase<LocalizePass> {
  void runOnOperation() override {
    MeshAttr mesh = getMesh(getOperation());
    if (!mesh) {
      getOperation().emitOpError()
          << "has no mesh: " << kMeshAttr << " = #dfg.mesh<…> is missing";
      return signalPassFailure();
    }
    WalkResult result = getOperation().walk([&](Operation *op) {
      if (auto parameter = dyn_cast<ParameterOp>(op))
        return WalkResult(localizeParameter(parameter, mesh));
      if (auto function = dyn_cast<func::FuncOp>(op)) {
        if (failed(Localizer(function, mesh).run()))
          return WalkResult::interrupt();
        return WalkResult::skip();
      }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
