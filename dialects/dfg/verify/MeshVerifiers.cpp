// Verifiers of the ops that move data between ranks.
#include "dialects/dfg/DfgDialect.h"
#include "dialects/dfg/verify/ShapeCheck.h"

using namespace mlir;
using namespace orrery::dfg;

/// Distinct axes of the mesh around `op` (C1 of every collective); the number
/// of ranks along them in `ranks`.
static LogicalResult checkAxes(Operation *op, ArrayAttr axes, int64_t &ranks) {
  MeshAttr mesh = getMesh(op);
  if (!mesh) // C1
    return op->emitOpError() << "names mesh axes, but no module around it has "
                             << "the attribute '" << kMeshAttr << "'";
  ranks = 1;
  llvm::SmallDenseSet<Attribute> seen;
  for (StringAttr axis : axes.getAsRange<StringAttr>()) {
    if (!mesh.hasAxis(axis)) // C1
      return op->emitOpError()
             << "axis " << axis << " is not one of the mesh " << mesh;
    if (!seen.insert(axis).second) // C1
      return op->emitOpError() << "axis " << axis << " occurs twice";
    ranks *= mesh.getSize(axis);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Reshard
//===----------------------------------------------------------------------===//

static LogicalResult checkState(ReshardOp op, StringRef what,
                                const Sharding &state) {
  RankedTensorType type = op.getOperand().getType();
  if (static_cast<int64_t>(state.dims.size()) != type.getRank()) // C1
    return op.emitOpError()
           << what << " has " << state.dims.size()
           << " dimensions, the operand has " << type.getRank();
  MeshAttr mesh = getMesh(op);
  if (!mesh)
    return success();
  for (auto [dim, axes] : llvm::enumerate(state.dims)) {
    int64_t parts = mesh.getSize(axes);
    if (type.getDimSize(dim) % parts != 0) // C2
      return op.emitOpError() << what << " splits dimension " << dim
                              << " of size " << type.getDimSize(dim) << " into "
                              << parts << " parts, it must divide evenly";
  }
  return success();
}

LogicalResult ReshardOp::verify() {
  Sharding source = Sharding::get(getSource());
  Sharding target = Sharding::get(getTarget());
  if (failed(checkState(*this, "source", source)) ||
      failed(checkState(*this, "target", target)))
    return failure();
  for (StringAttr axis : target.partial)
    if (!llvm::is_contained(source.partial, axis)) // C3
      return emitOpError() << "target is partial over axis " << axis
                           << ", the source is not";
  if (source.isPartial() && target.isPartial() &&
      source.reduction != target.reduction) // C3
    return emitOpError() << "source is a partial "
                         << stringifyReduction(source.reduction)
                         << ", the target a partial "
                         << stringifyReduction(target.reduction);
  return success();
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

LogicalResult AllReduceOp::verify() {
  int64_t ranks;
  if (failed(checkAxes(*this, getAxes(), ranks))) // C1
    return failure();
  if (!getOnly())
    return success();
  if (getAxes().size() != 1) // C2
    return emitOpError() << "'only' needs one axis, there are "
                         << getAxes().size();
  ArrayRef<int64_t> only = *getOnly();
  for (int64_t coordinate : only)
    if (failed(checkInRange(*this, "a coordinate of 'only'", coordinate,
                            ranks))) // C2
      return failure();
  return success();
}

LogicalResult AllGatherOp::verify() {
  int64_t ranks;
  RankedTensorType part = getOperand().getType(), whole = getResult().getType();
  if (failed(checkAxes(*this, getAxes(), ranks)) || // C1
      failed(checkElement(*this, "result", whole, part.getElementType())))
    return failure();
  if (failed(checkInRange(*this, "dim", getDim(), part.getRank()))) // C2
    return failure();
  SmallVector<int64_t> shape(part.getShape());
  shape[getDim()] *= ranks;
  return checkShape(*this, "result", whole, shape, // C2
                    "gathering from " + std::to_string(ranks) + " ranks");
}

/// The result is the own part of the operand along `dim`.
template <typename Op> static LogicalResult checkOwnPart(Op op) {
  int64_t ranks, dim = op.getDim();
  RankedTensorType whole = op.getOperand().getType();
  RankedTensorType part = op.getResult().getType();
  if (failed(checkAxes(op, op.getAxes(), ranks)) || // C1
      failed(checkElement(op, "result", part, whole.getElementType())) ||
      failed(checkInRange(op, "dim", dim, whole.getRank()))) // C2
    return failure();
  if (whole.getDimSize(dim) % ranks != 0) // C2
    return op.emitOpError()
           << "cannot split dimension " << dim << " of size "
           << whole.getDimSize(dim) << " into " << ranks << " equal parts";
  SmallVector<int64_t> shape(whole.getShape());
  shape[dim] /= ranks;
  return checkShape(op, "result", part, shape, // C2
                    "splitting over " + std::to_string(ranks) + " ranks");
}

LogicalResult ReduceScatterOp::verify() { return checkOwnPart(*this); }
LogicalResult AllSliceOp::verify() { return checkOwnPart(*this); }

LogicalResult AllToAllOp::verify() {
  int64_t ranks, split = getSplit(), concat = getConcat();
  RankedTensorType from = getOperand().getType(), to = getResult().getType();
  if (failed(checkAxes(*this, getAxes(), ranks)) || // C1
      failed(checkElement(*this, "result", to, from.getElementType())) ||
      failed(checkInRange(*this, "split", split, from.getRank())) || // C2
      failed(checkInRange(*this, "concat", concat, from.getRank()))) // C2
    return failure();
  if (split == concat) // C2
    return emitOpError() << "split and concat are both dimension " << split;
  if (from.getDimSize(split) % ranks != 0) // C2
    return emitOpError() << "cannot split dimension " << split << " of size "
                         << from.getDimSize(split) << " into " << ranks
                         << " equal parts";
  SmallVector<int64_t> shape(from.getShape());
  shape[split] /= ranks;
  shape[concat] *= ranks;
  return checkShape(*this, "result", to, shape, // C2
                    "moving the split over " + std::to_string(ranks) +
                        " ranks");
}

//===----------------------------------------------------------------------===//
// Pipeline
//===----------------------------------------------------------------------===//

static LogicalResult checkDelta(Operation *op, int64_t delta) {
  if (delta == 1 || delta == -1) // C1
    return success();
  return op->emitOpError() << "delta is " << delta << ", must be 1 or -1";
}

LogicalResult SendOp::verify() {
  return checkDelta(*this, static_cast<int64_t>(getDelta()));
}
LogicalResult ReceiveOp::verify() {
  return checkDelta(*this, static_cast<int64_t>(getDelta()));
}
