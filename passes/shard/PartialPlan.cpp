// The plan of reductions: a walk down the program and one up, repeated.
#include "passes/shard/PartialPlan.h"

#include "passes/analysis/ReshardCost.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

PartialPlan::PartialPlan(func::FuncOp function, OpFactors &factors,
                         MeshAttr mesh)
    : function(function), factors(factors), mesh(mesh) {
  do
    followForward();
  while (decideBackward());
}

bool PartialPlan::keepsPartial(OpOperand &operand) const {
  return kept.contains(&operand);
}

Axes PartialPlan::partialAxes(Value value) const {
  return partial.lookup(value);
}

/// Zeros are the sum of zeros on any axes.
static bool isZero(Value value) {
  Operation *op = value.getDefiningOp();
  while (isa_and_nonnull<BroadcastOp, CastOp, ReshapeOp>(op))
    op = op->getOperand(0).getDefiningOp();
  auto constant = dyn_cast_or_null<ConstantOp>(op);
  return constant && constant.getValue().isZero();
}

static bool disjoint(const Axes &a, const Axes &b) {
  return llvm::none_of(
      a, [&](StringAttr axis) { return llvm::is_contained(b, axis); });
}

static bool sameSet(const Axes &a, const Axes &b) {
  return a.size() == b.size() && llvm::all_of(a, [&](StringAttr axis) {
           return llvm::is_contained(b, axis);
         });
}

/// Partial and not to be reduced at once.
bool PartialPlan::isOpen(OpOperand &operand) const {
  return !partial.lookup(operand.get()).empty() &&
         !reduced.contains(operand.get());
}

/// Partial over axes that the op neither splits nor reduces.
bool PartialPlan::isDisjoint(OpOperand &operand,
                             const FactorAxes &opFactors) const {
  const Axes axes = partial.lookup(operand.get());
  return llvm::all_of(opFactors.getAxes(),
                      [&](const Axes &split) { return disjoint(split, axes); });
}

/// accumulate_grad and metric keep what they can. A gradient lies as its
/// parameter does: an axis on which that is split holds no partial sums.
void PartialPlan::keepAccumulated(Operation *op) {
  if (!isa<AccumulateGradOp, MetricOp>(op) || !isOpen(op->getOpOperand(0)))
    return;
  OpOperand &operand = op->getOpOperand(0);
  auto seeds = op->getAttrOfType<ArrayAttr>(kShardingAttr);
  if (isa<AccumulateGradOp>(op) && seeds) {
    Sharding wanted = Sharding::get(cast<ShardingAttr>(seeds[0]));
    if (!llvm::all_of(wanted.dims, [&](const Axes &dim) {
          return disjoint(dim, partial.lookup(operand.get()));
        }))
      return;
  }
  kept.insert(&operand);
}

void PartialPlan::keepOperands(Operation *op, FactorAxes &opFactors) {
  SmallVector<OpOperand *> alone, together;
  bool allTogether = true;
  for (OpOperand &operand : op->getOpOperands()) {
    Linearity linearity =
        opFactors.getRule().linearity[operand.getOperandNumber()];
    bool open = isOpen(operand);
    if (linearity == Linearity::Each && open && isDisjoint(operand, opFactors))
      alone.push_back(&operand);
    if (linearity != Linearity::Together || isZero(operand.get()))
      continue;
    if (open &&
        (together.empty() || sameSet(partial.lookup(operand.get()),
                                     partial.lookup(together[0]->get()))))
      together.push_back(&operand);
    else
      allTogether = false;
  }
  // A product of two sums is no sum of products: one operand at most.
  if (alone.size() == 1)
    kept.insert(alone.front());
  if (!alone.empty() || !allTogether || together.empty())
    return;
  if (!isDisjoint(*together[0], opFactors)) {
    if (together.size() == 1)
      return; // nothing to merge: the split is worth more
    given.try_emplace(op, opFactors);
    for (StringAttr axis : partial.lookup(together[0]->get()))
      opFactors.release(axis);
  }
  kept.insert(together.begin(), together.end());
}

/// Computes what is partial where, given what is reduced at once.
void PartialPlan::followForward() {
  partial.clear();
  kept.clear();
  for (auto &[op, before] : given)
    factors.find(op)->second = before;
  given.clear();
  function.walk([&](Operation *op) {
    auto it = factors.find(op);
    if (it == factors.end())
      return keepAccumulated(op);
    keepOperands(op, it->second);
    for (OpResult result : op->getResults()) {
      Reduction reduction = Reduction::Sum;
      Axes axes = it->second.reducedAxes(result.getResultNumber(), reduction);
      if (reduction != Reduction::Sum)
        continue; // maxima are reduced at once
      for (OpOperand &operand : op->getOpOperands())
        if (kept.contains(&operand))
          for (StringAttr axis : partial.lookup(operand.get()))
            if (!llvm::is_contained(axes, axis))
              axes.push_back(axis);
      if (!axes.empty())
        partial[result] = axes;
    }
  });
}

/// Bytes reduced later on behalf of one kept use.
double PartialPlan::laterCost(OpOperand &use) const {
  double later = 0;
  for (OpResult result : use.getOwner()->getResults())
    later += cost.lookup(result);
  auto isKept = [&](OpOperand &operand) { return kept.contains(&operand); };
  return later / llvm::count_if(use.getOwner()->getOpOperands(), isKept);
}

/// Decides from the last op to the first; true when a decision is new.
bool PartialPlan::decideBackward() {
  bool changed = false;
  cost.clear();
  for (const auto &[op, opFactors] : llvm::reverse(factors)) {
    for (OpResult result : op->getResults()) {
      if (!partial.contains(result))
        continue;
      SmallVector<Axes, 4> dims = opFactors.placement(
          opFactors.getRule().results[result.getResultNumber()]);
      double here =
          localBytes(cast<RankedTensorType>(result.getType()), dims, mesh);
      double later = 0;
      bool needed = false;
      for (OpOperand &use : result.getUses()) {
        if (keepsPartial(use))
          later += laterCost(use);
        else
          needed = true;
      }
      bool now = needed || here <= later;
      cost[result] = now ? here : later;
      if (now)
        changed |= reduced.insert(result).second;
    }
  }
  return changed;
}
