// Composition of strided views.
#include "passes/schedule/Place.h"

using namespace mlir;
using namespace orrery::passes;

SmallVector<int64_t> orrery::passes::rowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (int64_t dim = shape.size() - 1; dim >= 0; --dim) {
    strides[dim] = stride;
    stride *= shape[dim];
  }
  return strides;
}

Place Place::whole(FlatSymbolRefAttr buffer, RankedTensorType type,
                   int64_t offset) {
  return {buffer, offset, SmallVector<int64_t>(type.getShape()),
          rowMajorStrides(type.getShape()), type.getElementType()};
}

Place Place::of(Value view) {
  auto op = view.getDefiningOp<orrery::rank::ViewOp>();
  auto type = cast<MemRefType>(view.getType());
  auto [strides, offset] = type.getStridesAndOffset();
  return {op.getBufferAttr(), static_cast<int64_t>(op.getOffset()),
          SmallVector<int64_t>(type.getShape()), strides,
          type.getElementType()};
}

int64_t Place::getNumElements() const { return llvm::product_of(shape); }

int64_t Place::getEnd() const {
  int64_t last = offset;
  for (auto [size, stride] : llvm::zip_equal(shape, strides))
    last += (size - 1) * stride;
  return last + 1;
}

bool Place::overlaps(const Place &other) const {
  return buffer == other.buffer && offset < other.getEnd() &&
         other.offset < getEnd();
}

bool orrery::passes::touches(Operation *op, ArrayRef<StringRef> buffers) {
  return !isa<orrery::rank::ViewOp>(op) &&
         llvm::any_of(op->getOperands(), [&](Value operand) {
           return llvm::is_contained(
               buffers,
               operand.getDefiningOp<orrery::rank::ViewOp>().getBuffer());
         });
}

bool Place::isContiguous() const {
  SmallVector<int64_t> wanted = rowMajorStrides(shape);
  for (auto [size, stride, want] : llvm::zip_equal(shape, strides, wanted))
    if (size != 1 && stride != want)
      return false;
  return true;
}

std::optional<Place> Place::reshaped(ArrayRef<int64_t> newShape) const {
  // Both shapes without unit dimensions; a group of old dimensions that is
  // contiguous in itself may be split in any way.
  SmallVector<std::pair<int64_t, int64_t>> runs; // size, stride; merged
  for (auto [size, stride] : llvm::zip_equal(shape, strides)) {
    if (size == 1)
      continue;
    if (!runs.empty() && runs.back().second == size * stride)
      runs.back() = {runs.back().first * size, stride};
    else
      runs.push_back({size, stride});
  }
  Place result{buffer, offset, SmallVector<int64_t>(newShape),
               SmallVector<int64_t>(newShape.size(), 1), elementType};
  size_t run = runs.size();
  int64_t left = 1, stride = 1;
  for (int64_t dim = newShape.size() - 1; dim >= 0; --dim) {
    if (newShape[dim] == 1) {
      result.strides[dim] = stride;
      continue;
    }
    if (left == 1) {
      if (run == 0)
        return std::nullopt;
      --run;
      left = runs[run].first;
      stride = runs[run].second;
    }
    if (left % newShape[dim] != 0)
      return std::nullopt;
    result.strides[dim] = stride;
    left /= newShape[dim];
    stride *= newShape[dim];
  }
  if (left != 1 || run != 0)
    return std::nullopt;
  return result;
}

Place Place::sliced(int64_t dim, int64_t start, int64_t size) const {
  Place result = *this;
  result.offset += start * strides[dim];
  result.shape[dim] = size;
  return result;
}

Place Place::transposed(ArrayRef<int64_t> perm) const {
  Place result = *this;
  for (auto [dim, from] : llvm::enumerate(perm)) {
    result.shape[dim] = shape[from];
    result.strides[dim] = strides[from];
  }
  return result;
}

MemRefType Place::getType() const {
  if (isContiguous())
    return MemRefType::get(shape, elementType);
  return MemRefType::get(
      shape, elementType,
      StridedLayoutAttr::get(elementType.getContext(), 0, strides));
}
