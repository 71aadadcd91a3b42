// dfg-insert-reshards: makes every op right locally.
#include "passes/analysis/ReshardPath.h"
#include "passes/shard/PartialPlan.h"
#include "passes/shard/Passes.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace orrery::passes {
#define GEN_PASS_DEF_INSERTRESHARDSPASS
#include "passes/shard/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

namespace {
/// One function's rewrite.
class Resharder {
public:
  Resharder(func::FuncOp function, MeshAttr mesh, bool gatherAgain)
      : function(function), mesh(mesh), gatherAgain(gatherAgain) {}

  LogicalResult run();

private:
  LogicalResult readFactors();
  LogicalResult placeOperands(Operation *op, const PartialPlan &plan);
  LogicalResult place(OpOperand &operand, ArrayRef<Axes> dims,
                      const Axes &partial);
  void agreeOnSums(const PartialPlan &plan);
  void forgetGathered();
  void stateResults(Operation *op, const PartialPlan &plan);
  std::optional<SmallVector<Axes, 4>> wantedOf(OpOperand &operand);
  FailureOr<Value> bring(OpOperand &operand, const Sharding &target);

  func::FuncOp function;
  MeshAttr mesh;
  bool gatherAgain;
  OpFactors factors;
  /// Per parameter or metric, the axes over which all that is added to it is
  /// partial.
  DenseMap<Attribute, Axes> accumulated;
  /// Every state in which a value is at hand, the one it is made in first.
  struct AtHand {
    Sharding state;
    Value value;
  };
  using States = SmallVector<AtHand, 2>;
  DenseMap<Value, States> states;
};
} // namespace

/// Takes each op's split factors from dfg-propagate, or, where that did not
/// run, from what is recorded for its results and operands.
LogicalResult Resharder::readFactors() {
  WalkResult result = function.walk([&](Operation *op) {
    auto shardable = dyn_cast<ShardableOpInterface>(op);
    if (!shardable)
      return WalkResult::advance();
    FactorAxes own(shardable.getShardingRule(), mesh);
    if (auto attr = op->getAttrOfType<ArrayAttr>(kFactorsAttr)) {
      if (failed(own.fromAttr(attr))) {
        op->emitOpError() << "has " << kFactorsAttr << " " << attr
                          << ", which does not fit its " << own.getAxes().size()
                          << " factors";
        return WalkResult::interrupt();
      }
    } else {
      auto claim = [&](auto values, const auto &tensors) {
        for (auto [value, tensor] : llvm::zip_equal(values, tensors))
          if (std::optional<Sharding> known = getSharding(value))
            own.claim(tensor, known->dims);
      };
      claim(op->getResults(), own.getRule().results);
      claim(op->getOperands(), own.getRule().operands);
    }
    factors.insert({op, std::move(own)});
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

/// Removes ops without effect whose results nobody uses, users first: what
/// recomputation cloned and the backward does not need must not communicate.
static void eraseDeadOps(func::FuncOp function) {
  for (Block &block : function.getBody())
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op) || (isa<WeightOp>(op) && op.use_empty()))
        op.erase();
}

/// How an op without factors wants its operand: as its own seed says, as its
/// parameter lies, or, for return, as the value is wanted anyway.
std::optional<SmallVector<Axes, 4>> Resharder::wantedOf(OpOperand &operand) {
  Operation *op = operand.getOwner();
  if (auto seeds = op->getAttrOfType<ArrayAttr>(kShardingAttr);
      seeds && op->getNumResults() == 0 && seeds.size() == 1)
    return Sharding::get(cast<ShardingAttr>(seeds[0])).dims;
  if (isa<MetricOp>(op))
    return SmallVector<Axes, 4>();
  if (isa<func::ReturnOp, SendOp>(op)) {
    auto it = states.find(operand.get());
    if (it != states.end())
      return it->second.front().state.dims;
  }
  return std::nullopt;
}

static std::string textOf(Attribute attr) {
  std::string text;
  llvm::raw_string_ostream(text) << attr;
  return text;
}

/// Remarks why `operand` is resharded.
static void explain(OpOperand &operand, ShardingAttr from, ShardingAttr to) {
  Operation *op = operand.getOwner(), *maker = operand.get().getDefiningOp();
  auto remark = remark::passed(
      op->getLoc(),
      remark::RemarkOpts::name("reshard").category("dfg-insert-reshards"));
  if (!remark)
    return;
  bool reduces = from.getPartial().size() > to.getPartial().size();
  std::string text = op->getName().getStringRef().str() + " needs operand " +
                     std::to_string(operand.getOperandNumber()) + " as " +
                     textOf(to) + ", ";
  text += maker ? maker->getName().getStringRef() : "an argument";
  text += " gives it as " + textOf(from);
  text += reduces ? ": to reduce later would be wrong or move no fewer bytes"
                  : ": the factors of the two are split differently";
  remark << text;
}

/// The value of `operand` in state `target`: at hand, or by the cheapest
/// reshard from a state that is.
FailureOr<Value> Resharder::bring(OpOperand &operand, const Sharding &target) {
  States &known = states[operand.get()];
  auto type = cast<RankedTensorType>(operand.get().getType());
  const AtHand *best = nullptr;
  double least = 0;
  for (const AtHand &entry : known) {
    if (entry.state == target)
      return entry.value;
    std::optional<ReshardPath> path =
        findReshardPath(entry.state, target, type, mesh);
    if (path && (!best || path->seconds < least)) {
      best = &entry;
      least = path->seconds;
    }
  }
  Operation *op = operand.getOwner();
  if (!best)
    return op->emitOpError()
           << "cannot bring operand " << operand.getOperandNumber()
           << " into the state " << target.toAttr(op->getContext())
           << ": no sequence of collectives leads there";
  OpBuilder builder(op);
  ShardingAttr from = best->state.toAttr(op->getContext()),
               to = target.toAttr(op->getContext());
  Value moved = ReshardOp::create(builder, op->getLoc(), best->value, from, to);
  for (StringRef name : {kLayerAttr, StringLiteral("dfg.recompute")})
    if (Attribute attr = op->getAttr(name))
      moved.getDefiningOp()->setAttr(name, attr);
  setSharding(moved, target);
  explain(operand, from, to);
  known.push_back({target, moved});
  return moved;
}

LogicalResult Resharder::place(OpOperand &operand, ArrayRef<Axes> dims,
                               const Axes &partial) {
  Sharding target;
  target.dims.assign(dims.begin(), dims.end());
  target.partial = partial;
  FailureOr<Value> value = bring(operand, target);
  if (failed(value))
    return failure();
  operand.set(*value);
  return success();
}

/// What a step adds up by, where the sum is reduced once a step.
static Attribute accumulatorOf(Operation *op) {
  if (auto accumulate = dyn_cast<AccumulateGradOp>(op))
    return accumulate.getParameterAttr();
  if (auto metric = dyn_cast<MetricOp>(op))
    return metric.getNameAttr();
  return {};
}

/// Partial and whole gradients of one parameter cannot be added up and reduced
/// later: all its uses stay partial over the axes that they have in common.
void Resharder::agreeOnSums(const PartialPlan &plan) {
  function.walk([&](Operation *op) {
    Attribute accumulator = accumulatorOf(op);
    if (!accumulator)
      return;
    OpOperand &operand = op->getOpOperand(0);
    Axes axes;
    if (plan.keepsPartial(operand))
      axes = plan.partialAxes(operand.get());
    auto [it, inserted] = accumulated.try_emplace(accumulator, axes);
    if (!inserted)
      llvm::erase_if(it->second, [&](StringAttr axis) {
        return !llvm::is_contained(axes, axis);
      });
  });
}

LogicalResult Resharder::placeOperands(Operation *op, const PartialPlan &plan) {
  auto it = factors.find(op);
  Attribute accumulator = accumulatorOf(op);
  for (OpOperand &operand : op->getOpOperands()) {
    std::optional<SmallVector<Axes, 4>> dims =
        it != factors.end()
            ? it->second.placement(
                  it->second.getRule().operands[operand.getOperandNumber()])
            : wantedOf(operand);
    if (!dims)
      return op->emitOpError()
             << "has no factor rule and no recorded operand state, so it "
                "cannot be made local";
    Axes partial;
    if (accumulator)
      partial = accumulated.lookup(accumulator);
    else if (plan.keepsPartial(operand))
      partial = plan.partialAxes(operand.get());
    if (failed(place(operand, *dims, partial)))
      return failure();
    if (it == factors.end() && !isa<func::ReturnOp>(op)) {
      Sharding state = *getSharding(operand.get());
      op->setAttr(
          kShardingAttr,
          ArrayAttr::get(op->getContext(), {state.toAttr(op->getContext())}));
    }
  }
  return success();
}

/// Records the state in which `op` makes its results.
void Resharder::stateResults(Operation *op, const PartialPlan &plan) {
  auto it = factors.find(op);
  for (OpResult result : op->getResults()) {
    Sharding state;
    if (it != factors.end()) {
      const FactorAxes &own = it->second;
      unsigned index = result.getResultNumber();
      state.dims = own.placement(own.getRule().results[index]);
      state.partial = own.reducedAxes(index, state.reduction);
      if (state.reduction == Reduction::Sum)
        state.partial = plan.partialAxes(result);
    } else if (std::optional<Sharding> seed = getSharding(result)) {
      state = *seed;
    } else {
      state = Sharding::replicated(
          cast<RankedTensorType>(result.getType()).getRank());
    }
    setSharding(result, state);
    states[result] = {{state, result}};
  }
}

/// Forgets the values that were gathered so far: the backward, which begins
/// now, shall gather them again rather than have them kept.
void Resharder::forgetGathered() {
  for (auto &[value, known] : states) {
    auto type = cast<RankedTensorType>(value.getType());
    int64_t bytes = localBytes(type, known.front().state.dims, mesh);
    llvm::erase_if(known, [&](const AtHand &entry) {
      return localBytes(type, entry.state.dims, mesh) > bytes;
    });
  }
}

LogicalResult Resharder::run() {
  eraseDeadOps(function);
  if (failed(readFactors()))
    return failure();
  PartialPlan plan(function, factors, mesh);
  agreeOnSums(plan);
  for (BlockArgument argument : function.getArguments()) {
    std::optional<Sharding> seed = getSharding(argument);
    if (!seed)
      return function.emitOpError()
             << "argument " << argument.getArgNumber() << " has no "
             << kShardingAttr << "; run dfg-seed and dfg-propagate first";
    states[argument] = {{*seed, argument}};
  }
  SmallVector<Operation *> order;
  function.walk([&](Operation *op) { order.push_back(op); });
  for (Operation *op : order) {
    if (op == function)
      continue;
    if (gatherAgain && isa<BeginBackwardOp>(op))
      forgetGathered();
    if (failed(placeOperands(op, plan)))
      return failure();
    stateResults(op, plan);
  }
  return success();
}

namespace {
struct InsertReshardsPass
    : orrery::passes::impl::InsertReshardsPassBase<InsertReshardsPass> {
  using InsertReshardsPassBase::InsertReshardsPassBase;

  void runOnOperation() override {
    MeshAttr mesh = getMesh(getOperation());
    if (!mesh) {
      getOperation().emitOpError()
          << "has no mesh: " << kMeshAttr << " = #dfg.mesh<…> is missing";
      return signalPassFailure();
    }
    WalkResult result = getOperation().walk([&](func::FuncOp function) {
      return WalkResult(Resharder(function, mesh, gatherAgain).run());
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
