// Computes forward values again where the backward needs them.
#include "passes/differentiate/Stash.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

static constexpr StringLiteral kRecomputeAttr = "dfg.recompute";

/// Clones the ops that compute `value` from what is kept, before the builder's
/// place; each op once per function.
static Value recompute(Value value, const Stash &stash, OpBuilder &builder,
                       IRMapping &copies) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return value; // an input
  if (auto it = stash.find(value); it != stash.end() && it->second.keep)
    return value;
  if (Value copy = copies.lookupOrNull(value))
    return copy;
  for (Value operand : op->getOperands())
    if (Value copy = recompute(operand, stash, builder, copies);
        copy != operand)
      copies.map(operand, copy);
  Operation *copy = builder.clone(*op, copies);
  copy->setAttr(kRecomputeAttr, builder.getUnitAttr());
  return copies.lookup(value);
}

void orrery::passes::rematerialize(BeginBackwardOp begin, const Stash &stash) {
  IRMapping copies;
  OpBuilder builder(begin);
  for (Operation *op = begin->getNextNode(); op; op = op->getNextNode()) {
    builder.setInsertionPoint(op);
    for (OpOperand &operand : op->getOpOperands()) {
      auto it = stash.find(operand.get());
      if (it != stash.end() && !it->second.keep)
        operand.set(recompute(operand.get(), stash, builder, copies));
    }
  }
}
