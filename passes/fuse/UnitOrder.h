// A legal order of the ops of a block while they merge into units.
#ifndef ORRERY_PASSES_FUSE_UNITORDER_H
#define ORRERY_PASSES_FUSE_UNITORDER_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include <vector>

namespace orrery::passes {

/// The ops of a block as a sequence of units, at first one op each. A unit
/// depends on another when it uses its results, or when both touch one state
/// (messages, a metric, a field of a bucket, a gradient) and it came later.
///
/// Invariant: the sequence is a topological order of the units, so a path
/// from a to b runs through units between them only and a merge looks at and
/// reorders no others:
///
///   sequence  a x y z b, a -> y -> z, x -> b     merging a and b:
///             x (a b) y z                        y, z wait for the pair
///   and it is refused when also z -> b.
class UnitOrder {
public:
  using Unit = unsigned;

  explicit UnitOrder(mlir::Block &block);

  Unit getUnit(mlir::Operation *op) const { return unitOf.lookup(op); }
  /// Members in the order of the block.
  llvm::ArrayRef<mlir::Operation *> getOps(Unit unit) const {
    return ops[unit];
  }
  /// Units in their present order; merged ones leave empty units behind.
  llvm::ArrayRef<Unit> getSequence() const { return sequence; }

  /// True when no third unit depends on one of the two and feeds the other,
  /// and no `dfg.begin_backward` lies between.
  bool canMerge(Unit a, Unit b) const;
  /// Joins two units for which canMerge holds; returns the one that is left.
  Unit merge(Unit a, Unit b);

private:
  /// Units up to the position of `last` that depend on `first`. Contains
  /// `last` only when it does so through a third unit.
  llvm::DenseSet<Unit> dependents(Unit first, Unit last) const;

  std::vector<llvm::SmallVector<mlir::Operation *>> ops; // by unit
  std::vector<unsigned> position;                        // by unit
  std::vector<unsigned> segment; // by unit: begin_backwards before it
  std::vector<Unit> sequence;
  llvm::DenseMap<mlir::Operation *, Unit> unitOf;
  llvm::DenseMap<mlir::Operation *, unsigned> index; // in the block
  llvm::DenseMap<mlir::Operation *, mlir::Operation *> nextOnState;
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_FUSE_UNITORDER_H
