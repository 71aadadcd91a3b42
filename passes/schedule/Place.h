// Where a tensor lies: a strided view of a buffer, and how views compose.
#ifndef ORRERY_PASSES_SCHEDULE_PLACE_H
#define ORRERY_PASSES_SCHEDULE_PLACE_H

#include "dialects/rank/RankDialect.h"
#include <optional>

namespace orrery::passes {

/// A view of a buffer. Offset and strides count elements.
struct Place {
  mlir::FlatSymbolRefAttr buffer;
  int64_t offset = 0;
  llvm::SmallVector<int64_t> shape;
  llvm::SmallVector<int64_t> strides;
  mlir::Type elementType;

  /// The whole of a buffer that holds a row-major tensor of `type`.
  static Place whole(mlir::FlatSymbolRefAttr buffer,
                     mlir::RankedTensorType type, int64_t offset = 0);

  /// The place of a rank.view.
  static Place of(mlir::Value view);

  bool isContiguous() const;
  int64_t getNumElements() const;
  /// Behind the last element, counted as `offset`.
  int64_t getEnd() const;
  /// Whether this and `other` may have elements in common: all from the first
  /// to the last count, gaps included.
  bool overlaps(const Place &other) const;
  /// The same elements as `newShape` in row-major order, when strides allow:
  ///   shape [4, 1, 8] strides [24, 8, 1] as [4, 8]  → strides [24, 1]
  ///   shape [4, 8]    strides [24, 1]    as [32]    → none
  std::optional<Place> reshaped(llvm::ArrayRef<int64_t> newShape) const;
  /// Elements [start, start + size) of dimension `dim`.
  Place sliced(int64_t dim, int64_t start, int64_t size) const;
  /// Dimension i is dimension perm[i] of this.
  Place transposed(llvm::ArrayRef<int64_t> perm) const;
  /// The view's type, with a strided layout where it is not row-major.
  mlir::MemRefType getType() const;
};

/// Whether an operand of `op` is a view of one of `buffers`.
bool touches(mlir::Operation *op, llvm::ArrayRef<llvm::StringRef> buffers);

/// Row-major strides of `shape`.
llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape);

} // namespace orrery::passes

#endif // ORRERY_PASSES_SCHEDULE_PLACE_H
