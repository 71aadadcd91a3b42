// Verifiers of the elementwise ops and of those that move dimensions. A label
// such as `C1` names the constraint of the op's description.
#include "dialects/dfg/DfgDialect.h"
#include "dialects/dfg/verify/ShapeCheck.h"

using namespace mlir;
using namespace orrery::dfg;

LogicalResult CastOp::verify() {
  return checkShape(*this, "result", getResult().getType(), // C1
                    getOperand().getType().getShape(), "the operand");
}

LogicalResult DropoutOp::verify() {
  if (failed(checkRank(*this, "operand", getOperand().getType(), 3))) // C1
    return failure();
  double probability = getProbability().convertToDouble();
  if (!(probability >= 0 && probability < 1)) // C2
    return emitOpError() << "probability is " << probability
                         << ", must be at least 0 and below 1";
  if (getExtent().size() != 3) // C3
    return emitOpError() << "extent has " << getExtent().size()
                         << " entries, must have 3";
  if (getOffset().size() != 3) // C3
    return emitOpError() << "offset has " << getOffset().size()
                         << " entries, must have 3";
  for (auto [dim, size] : llvm::enumerate(getOperand().getType().getShape()))
    if (size > getExtent()[dim]) // C4
      return emitOpError() << "operand has size " << size << " in dimension "
                           << dim << ", extent " << getExtent()[dim]
                           << " is smaller";
  return success();
}

/// Dimension numbers that increase and lie below `rank`.
static LogicalResult checkDims(Operation *op, ArrayRef<int64_t> dims,
                               int64_t rank) {
  for (auto [index, dim] : llvm::enumerate(dims)) {
    if (failed(checkInRange(op, "entry " + std::to_string(index) + " of dims",
                            dim, rank)))
      return failure();
    if (index > 0 && dims[index - 1] >= dim)
      return op->emitOpError() << "dims must increase, entry " << index
                               << " is " << dim << " after " << dims[index - 1];
  }
  return success();
}

LogicalResult BroadcastOp::verify() {
  RankedTensorType from = getOperand().getType(), to = getResult().getType();
  if (static_cast<int64_t>(getDims().size()) != from.getRank()) // C1
    return emitOpError() << "dims has " << getDims().size()
                         << " entries, the operand has " << from.getRank()
                         << " dimensions";
  if (failed(checkDims(*this, getDims(), to.getRank()))) // C1
    return failure();
  for (auto [index, dim] : llvm::enumerate(getDims()))
    if (from.getDimSize(index) != to.getDimSize(dim)) // C2
      return emitOpError() << "dimension " << index << " of the operand has "
                           << "size " << from.getDimSize(index)
                           << ", dimension " << dim << " of the result has "
                           << to.getDimSize(dim);
  return checkElement(*this, "result", to, from.getElementType()); // C3
}

LogicalResult ReduceOp::verify() {
  RankedTensorType from = getOperand().getType();
  if (failed(checkDims(*this, getDims(), from.getRank()))) // C1
    return failure();
  SmallVector<int64_t> kept;
  for (auto [dim, size] : llvm::enumerate(from.getShape()))
    if (!llvm::is_contained(getDims(), static_cast<int64_t>(dim)))
      kept.push_back(size);
  if (failed(checkShape(*this, "result", getResult().getType(), kept, // C2
                        "the reduction")))
    return failure();
  return checkElement(*this, "result", getResult().getType(), // C3
                      from.getElementType());
}

LogicalResult PartialSumOp::verify() {
  RankedTensorType from = getOperand().getType(), to = getResult().getType();
  if (from.getRank() == 0)
    return emitOpError("operand has no columns"); // C1
  int64_t columns = from.getShape().back();
  int64_t rows = columns ? from.getNumElements() / columns : 0;
  if (to.getRank() != 2 || to.getDimSize(1) != columns ||
      to.getDimSize(0) < 1 || to.getDimSize(0) > rows) // C1
    return emitOpError() << "result of shape " << shapeText(to.getShape())
                         << " must have 1 to " << rows << " rows of " << columns
                         << " columns";
  if (!isa<FloatType>(to.getElementType()) ||
      to.getElementTypeBitWidth() < 32) // C2
    return emitOpError() << "result has elements of type "
                         << to.getElementType() << ", sums need f32 or wider";
  return success();
}

LogicalResult ReshapeOp::verify() {
  RankedTensorType from = getOperand().getType(), to = getResult().getType();
  if (from.getNumElements() != to.getNumElements()) // C1
    return emitOpError() << "operand of shape " << shapeText(from.getShape())
                         << " has " << from.getNumElements()
                         << " elements, result of shape "
                         << shapeText(to.getShape()) << " has "
                         << to.getNumElements();
  return checkElement(*this, "result", to, from.getElementType()); // C2
}

LogicalResult TransposeOp::verify() {
  RankedTensorType from = getOperand().getType();
  SmallVector<int64_t> sorted(getPerm()), shape;
  llvm::sort(sorted);
  bool permutes = static_cast<int64_t>(sorted.size()) == from.getRank();
  for (auto [index, dim] : llvm::enumerate(sorted))
    permutes &= static_cast<int64_t>(index) == dim;
  if (!permutes) // C1
    return emitOpError() << "perm [" << getPerm()
                         << "] is not a permutation of the operand's "
                         << from.getRank() << " dimensions";
  for (int64_t dim : getPerm())
    shape.push_back(from.getDimSize(dim));
  if (failed(checkShape(*this, "result", getResult().getType(), shape, // C2
                        "perm")))
    return failure();
  return checkElement(*this, "result", getResult().getType(), // C3
                      from.getElementType());
}

LogicalResult SliceOp::verify() {
  RankedTensorType from = getOperand().getType();
  int64_t dim = getDim(), start = getStart(), size = getSize();
  if (failed(checkInRange(*this, "dim", dim, from.getRank()))) // C1
    return failure();
  if (start < 0 || size < 1 || start + size > from.getDimSize(dim)) // C2
    return emitOpError() << "range [" << start << ", " << start + size
                         << ") does not lie inside dimension " << dim
                         << " of size " << from.getDimSize(dim);
  SmallVector<int64_t> shape(from.getShape());
  shape[dim] = size;
  if (failed(checkShape(*this, "result", getResult().getType(), shape, // C3
                        "the range")))
    return failure();
  return checkElement(*this, "result", getResult().getType(), // C4
                      from.getElementType());
}

LogicalResult ConcatOp::verify() {
  RankedTensorType to = getResult().getType();
  int64_t dim = getDim(), sum = 0;
  if (failed(checkInRange(*this, "dim", dim, to.getRank()))) // C1
    return failure();
  for (auto [index, operand] : llvm::enumerate(getOperands())) {
    auto type = cast<RankedTensorType>(operand.getType());
    std::string name = "operand " + std::to_string(index);
    if (failed(checkRank(*this, name, type, to.getRank()))) // C2
      return failure();
    SmallVector<int64_t> shape(to.getShape());
    shape[dim] = type.getDimSize(dim);
    if (failed(checkShape(*this, name, type, shape, "the result")) || // C2
        failed(checkElement(*this, name, type, to.getElementType()))) // C4
      return failure();
    sum += type.getDimSize(dim);
  }
  if (sum != to.getDimSize(dim)) // C3
    return emitOpError() << "sizes in dimension " << dim << " add up to " << sum
                         << ", the result has " << to.getDimSize(dim);
  return success();
}
