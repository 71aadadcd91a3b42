// The plan of reductions: a walk down the program and one up, repeated.
#include "passes/shard/PartialPlan.h"

#include "passes/analysis/ReshardCost.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

PartialPlan::PartialPlan(func::FuncOp function, const OpFactors &factors,
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

/// Partial, not to be reduced at once, and over axes that this op neither
/// splits nor reduces.
bool PartialPlan::mayKeep(OpOperand &operand,
                          const FactorAxes &opFactors) const {
  auto it = partial.find(operand.get());
  return it != partial.end() && !it->second.empty() &&
         !reduced.contains(operand.get()) &&
         llvm::all_of(opFactors.getAxes(), [&](const Axes &split) {
           return disjoint(split, it->second);
         });
}

void PartialPlan::keepOperands(Operation *op, const FactorAxes *opFactors) {
  if (!opFactors) {
    if (op->getNumOperands() != 1)
      return;
    OpOperand &operand = op->getOpOperand(0);
    bool stays = !reduced.contains(operand.get()) &&
                 !partial.lookup(operand.get()).empty();
    if (auto accumulate = dyn_cast<AccumulateGradOp>(op)) {
      // The gradient lies as its parameter does; an axis on which that is
      // split cannot also hold partial sums.
      auto seeds = op->getAttrOfType<ArrayAttr>(kShardingAttr);
      Sharding wanted = Sharding::get(cast<ShardingAttr>(seeds[0]));
      stays &= llvm::all_of(wanted.dims, [&](const Axes &dim) {
        return disjoint(dim, partial.lookup(operand.get()));
      });
    } else {
      stays &= isa<MetricOp>(op);
    }
    if (stays)
      kept.insert(&operand);
    return;
  }
  SmallVector<OpOperand *> alone, together;
  bool allTogether = true;
  for (OpOperand &operand : op->getOpOperands()) {
    Linearity linearity =
        opFactors->getRule().linearity[operand.getOperandNumber()];
    bool may = mayKeep(operand, *opFactors);
    if (linearity == Linearity::Each && may)
      alone.push_back(&operand);
    if (linearity != Linearity::Together || isZero(operand.get()))
      continue;
    if (may &&
        (together.empty() || sameSet(partial.lookup(operand.get()),
                                     partial.lookup(together.front()->get()))))
      together.push_back(&operand);
    else
      allTogether = false;
  }
  // A product of two sums is no sum of products: one operand at most.
  if (alone.size() == 1)
    kept.insert(alone.front());
  else if (alone.empty() && allTogether)
    kept.insert(together.begin(), together.end());
}

/// Computes what is partial where, given what is reduced at once.
void PartialPlan::followForward() {
  partial.clear();
  kept.clear();
  function.walk([&](Operation *op) {
    auto it = factors.find(op);
    const FactorAxes *opFactors = it == factors.end() ? nullptr : &it->second;
    keepOperands(op, opFactors);
    if (!opFactors)
      return;
    for (OpResult result : op->getResults()) {
      Reduction reduction = Reduction::Sum;
      Axes axes = opFactors->reducedAxes(result.getResultNumber(), reduction);
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
