// Verifier of fused regions.
#include "dialects/dfg/DfgDialect.h"
#include "dialects/dfg/verify/ShapeCheck.h"

using namespace mlir;
using namespace orrery::dfg;

void YieldOp::build(OpBuilder &, OperationState &) {}

/// True when `shape` is `space` without some of its dimensions.
static bool fits(ArrayRef<int64_t> shape, ArrayRef<int64_t> space) {
  for (int64_t size : space)
    if (!shape.empty() && shape.front() == size)
      shape = shape.drop_front();
  return shape.empty();
}

/// C3 for every value defined in the region, arguments included.
static LogicalResult checkSpace(FusedOp op, ValueRange values, Location where) {
  for (Value value : values) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (type && fits(type.getShape(), op.getShape()))
      continue;
    InFlightDiagnostic error = // C3
        op.emitOpError() << "has a value of type " << value.getType()
                         << " inside, which does not fit its iteration space "
                         << shapeText(op.getShape());
    error.attachNote(where) << "the value is made here";
    return error;
  }
  return success();
}

/// C2: `values` have the types of `outer`.
static LogicalResult checkTypes(FusedOp op, StringRef what, ValueRange values,
                                ValueRange outer) {
  if (values.size() != outer.size()) // C2
    return op.emitOpError() << "has " << values.size() << " " << what
                            << "s inside and " << outer.size() << " outside";
  for (auto [index, inside, outside] : llvm::enumerate(values, outer))
    if (inside.getType() != outside.getType()) // C2
      return op.emitOpError()
             << what << " " << index << " has type " << inside.getType()
             << " inside and " << outside.getType() << " outside";
  return success();
}

LogicalResult FusedOp::verify() {
  Block &block = getBody().front();
  if (failed(checkTypes(*this, "input", block.getArguments(), getInputs())))
    return failure();
  if (failed(checkSpace(*this, block.getArguments(), getLoc())))
    return failure();
  for (Operation &inner : block.without_terminator()) {
    if (!inner.hasTrait<Fusable>()) { // C1
      InFlightDiagnostic error = emitOpError()
                                 << "contains '" << inner.getName()
                                 << "', which cannot be fused";
      error.attachNote(inner.getLoc()) << "the op is here";
      return error;
    }
    // Its rows are not those of the space.
    if (isa<PartialSumOp>(inner))
      continue;
    if (failed(checkSpace(*this, inner.getResults(), inner.getLoc())))
      return failure();
  }
  return checkTypes(*this, "output", block.getTerminator()->getOperands(),
                    getOutputs());
}
