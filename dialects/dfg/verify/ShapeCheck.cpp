// Messages about shapes and element types that verifiers share.
#include "dialects/dfg/verify/ShapeCheck.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

std::string orrery::dfg::shapeText(ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "scalar";
  return llvm::join(
      llvm::map_range(shape, [](int64_t size) { return std::to_string(size); }),
      "x");
}

LogicalResult orrery::dfg::checkShape(Operation *op, StringRef what,
                                      RankedTensorType type,
                                      ArrayRef<int64_t> expected,
                                      StringRef source) {
  if (type.getShape() == expected)
    return success();
  return op->emitOpError() << what << " has shape "
                           << shapeText(type.getShape()) << ", " << source
                           << " asks for " << shapeText(expected);
}

LogicalResult orrery::dfg::checkRank(Operation *op, StringRef what,
                                     RankedTensorType type, int64_t rank) {
  if (type.getRank() == rank)
    return success();
  return op->emitOpError() << what << " has " << type.getRank()
                           << " dimensions, must have " << rank;
}

LogicalResult orrery::dfg::checkElement(Operation *op, StringRef what,
                                        RankedTensorType type, Type element) {
  if (type.getElementType() == element)
    return success();
  return op->emitOpError() << what << " has elements of type "
                           << type.getElementType() << ", must have "
                           << element;
}

LogicalResult orrery::dfg::checkInRange(Operation *op, StringRef what,
                                        int64_t value, int64_t limit) {
  if (value >= 0 && value < limit)
    return success();
  return op->emitOpError() << what << " is " << value
                           << ", must be at least 0 and below " << limit;
}

SmallVector<int64_t> orrery::dfg::append(ArrayRef<int64_t> shape,
                                         int64_t size) {
  SmallVector<int64_t> longer(shape);
  longer.push_back(size);
  return longer;
}
