// dfg-propagate: placements of all values and factors, from the seeds.
#include "passes/analysis/FactorAxes.h"
#include "passes/shard/Passes.h"
#include <deque>

namespace orrery::passes {
#define GEN_PASS_DEF_PROPAGATEPASS
#include "passes/shard/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

namespace {
/// The state of one function's propagation.
class Propagation {
public:
  Propagation(func::FuncOp function, MeshAttr mesh)
      : function(function), mesh(mesh) {}

  LogicalResult run();

private:
  void collect();
  LogicalResult round();
  LogicalResult visit(Operation *op);
  InFlightDiagnostic refuse(Operation *op, int64_t size,
                            const TensorFactors &tensor,
                            const Sharding &sharding, unsigned factor);
  void merge(Value value, ArrayRef<Axes> placement);
  void want(Value value, const Sharding &sharding);
  void enqueue(Operation *op);
  void enqueueAround(Value value);
  void record();

  func::FuncOp function;
  MeshAttr mesh;
  llvm::MapVector<Operation *, FactorAxes> ops;
  DenseMap<Value, Sharding> wanted;
  llvm::MapVector<Value, Sharding> parameterSeeds, otherSeeds;
  DenseSet<Value> pinned;
  std::deque<Operation *> queue;
  DenseSet<Operation *> queued;
};
} // namespace

/// Finds the shardable ops and sorts the seeds into rounds.
void Propagation::collect() {
  for (BlockArgument argument : function.getArguments())
    if (std::optional<Sharding> seed = getSharding(argument)) {
      otherSeeds.insert({argument, *seed});
      pinned.insert(argument);
    }
  function.walk([&](Operation *op) {
    if (auto shardable = dyn_cast<ShardableOpInterface>(op))
      ops.insert({op, FactorAxes(shardable.getShardingRule(), mesh)});
    // A seed of a value pins it; one of an operand is a wish.
    for (OpResult result : op->getResults())
      if (std::optional<Sharding> seed = getSharding(result)) {
        (isa<WeightOp>(op) ? parameterSeeds : otherSeeds)
            .insert({result, *seed});
        pinned.insert(result);
      }
    auto seeds = op->getAttrOfType<ArrayAttr>(kShardingAttr);
    if (op->getNumResults() != 0 || op->getNumOperands() != 1 || !seeds ||
        seeds.size() != 1)
      return;
    (isa<AccumulateGradOp>(op) ? parameterSeeds : otherSeeds)
        .insert(
            {op->getOperand(0), Sharding::get(cast<ShardingAttr>(seeds[0]))});
  });
}

void Propagation::enqueue(Operation *op) {
  if (ops.contains(op) && queued.insert(op).second)
    queue.push_back(op);
}

void Propagation::enqueueAround(Value value) {
  if (Operation *producer = value.getDefiningOp())
    enqueue(producer);
  for (Operation *user : value.getUsers())
    enqueue(user);
}

void Propagation::want(Value value, const Sharding &sharding) {
  wanted[value] = sharding.resolved();
  enqueueAround(value);
}

/// Extends what is wanted for `value` by `placement` where both agree.
void Propagation::merge(Value value, ArrayRef<Axes> placement) {
  if (pinned.contains(value))
    return;
  auto [it, inserted] =
      wanted.try_emplace(value, Sharding::replicated(placement.size()));
  bool changed = false;
  for (auto [have, add] : llvm::zip_equal(it->second.dims, placement)) {
    if (add.size() <= have.size() ||
        !std::equal(have.begin(), have.end(), add.begin()))
      continue;
    for (StringAttr axis : ArrayRef(add).drop_front(have.size())) {
      if (it->second.uses(axis))
        break;
      have.push_back(axis);
      changed = true;
    }
  }
  if (changed)
    enqueueAround(value);
}

/// Says that `factor` of `tensor`, placed as `sharding`, does not divide.
InFlightDiagnostic Propagation::refuse(Operation *op, int64_t size,
                                       const TensorFactors &tensor,
                                       const Sharding &sharding,
                                       unsigned factor) {
  Axes axes;
  for (auto [dim, split] : llvm::zip_equal(tensor, sharding.dims))
    if (llvm::is_contained(dim, factor))
      axes = split;
  int64_t parts = mesh.getSize(axes);
  int64_t nearest = std::max<int64_t>((size + parts / 2) / parts, 1) * parts;
  InFlightDiagnostic diagnostic = op->emitOpError();
  diagnostic << "cannot split a factor of size " << size
             << " evenly over axis ";
  llvm::interleave(
      axes, diagnostic, [&](StringAttr axis) { diagnostic << axis.getValue(); },
      ":");
  diagnostic << " of size " << parts << "; the nearest legal size is "
             << nearest << "; it is a part of ";
  return diagnostic;
}

LogicalResult Propagation::visit(Operation *op) {
  FactorAxes &factors = ops.find(op)->second;
  const ShardingRule &rule = factors.getRule();
  auto claim = [&](Value value, const TensorFactors &tensor,
                   const Twine &what) -> LogicalResult {
    auto it = wanted.find(value);
    if (it == wanted.end())
      return success();
    unsigned factor = 0;
    if (factors.claim(tensor, it->second.dims, &factor) !=
        FactorAxes::Claim::Indivisible)
      return success();
    return refuse(op, rule.factors[factor].size, tensor, it->second, factor)
           << what;
  };
  for (auto [index, pair] :
       llvm::enumerate(llvm::zip_equal(op->getResults(), rule.results)))
    if (failed(claim(std::get<0>(pair), std::get<1>(pair),
                     "result " + Twine(index))))
      return failure();
  for (auto [index, pair] :
       llvm::enumerate(llvm::zip_equal(op->getOperands(), rule.operands)))
    if (failed(claim(std::get<0>(pair), std::get<1>(pair),
                     "operand " + Twine(index))))
      return failure();
  for (auto [result, tensor] : llvm::zip_equal(op->getResults(), rule.results))
    merge(result, factors.placement(tensor));
  for (auto [operand, tensor] :
       llvm::zip_equal(op->getOperands(), rule.operands))
    merge(operand, factors.placement(tensor));
  return success();
}

/// Works off the queue: the fixed point of what has been seeded so far.
LogicalResult Propagation::round() {
  while (!queue.empty()) {
    Operation *op = queue.front();
    queue.pop_front();
    queued.erase(op);
    if (failed(visit(op)))
      return failure();
  }
  return success();
}

void Propagation::record() {
  auto note = [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || pinned.contains(value))
      return;
    auto it = wanted.find(value);
    setSharding(value, it != wanted.end()
                           ? it->second
                           : Sharding::replicated(type.getRank()));
  };
  llvm::for_each(function.getArguments(), note);
  function.walk([&](Operation *op) { llvm::for_each(op->getResults(), note); });
  for (auto &[op, factors] : ops)
    op->setAttr(kFactorsAttr, factors.toAttr(op->getContext()));
}

LogicalResult Propagation::run() {
  collect();
  for (auto *seeds : {&parameterSeeds, &otherSeeds}) {
    for (auto &[value, sharding] : *seeds) {
      if (pinned.contains(value))
        want(value, sharding);
      else
        merge(value, sharding.dims);
    }
    if (failed(round()))
      return failure();
  }
  record();
  return success();
}

namespace {
struct PropagatePass : orrery::passes::impl::PropagatePassBase<PropagatePass> {
  void runOnOperation() override {
    MeshAttr mesh = getMesh(getOperation());
    if (!mesh) {
      getOperation().emitOpError()
          << "has no mesh: " << kMeshAttr << " = #dfg.mesh<…> is missing";
      return signalPassFailure();
    }
    WalkResult result = getOperation().walk([&](func::FuncOp function) {
      return WalkResult(Propagation(function, mesh).run());
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
