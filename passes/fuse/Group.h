// Fusable ops that share one iteration space.
#ifndef ORRERY_PASSES_FUSE_GROUP_H
#define ORRERY_PASSES_FUSE_GROUP_H

#include "dialects/dfg/DfgDialect.h"
#include "llvm/ADT/MapVector.h"

#include <optional>

namespace orrery::passes {

/// Dimensions of an iteration space that a value has, increasing. In a space
/// [s, b, h] a full tensor has {0, 1, 2}, a number per row {0, 1}, a bias {2}.
using SpaceDims = llvm::SmallVector<int64_t, 4>;

/// A set of ops over one iteration space, and how each value lies in it.
struct Group {
  llvm::SmallVector<int64_t, 4> shape;
  llvm::MapVector<mlir::Value, SpaceDims> dims; // operands and results
  /// The last dimension is reduced or indexed, so it must stay the columns.
  bool usesColumns = false;
  /// Values that the ops define.
  llvm::SmallVector<mlir::Value> results;

  /// The group of one op; nullopt when the op cannot be fused: not Fusable, or
  /// a reduction that is not over the last dimension alone.
  static std::optional<Group> get(mlir::Operation *op);

  /// True when `dims` has every row dimension of more than one element.
  bool coversRows(llvm::ArrayRef<int64_t> dims) const;
  /// True when each element of a value with `dims` belongs to one row, so that
  /// the thread of that row can write it.
  bool canWrite(llvm::ArrayRef<int64_t> dims) const;
};

/// The group of all ops of `a` and `b`, which share `shared` as operand or
/// result; nullopt when
/// - the space of neither contains the other's, seen through `shared`;
/// - a value would lie in the space in two ways (x[i] and x[j] in [i, j]);
/// - a reduction would no longer be over the columns;
/// - a result without all rows would be needed outside: rows are split among
///   threads, so nobody could write it; sums by `dfg.partial_sum` excepted;
/// - `shared` is such a sum: its readers wait for all rows.
std::optional<Group> merge(const Group &a, const Group &b, mlir::Value shared);

} // namespace orrery::passes

#endif // ORRERY_PASSES_FUSE_GROUP_H
