// Where partial sums are reduced: at once, or behind linear ops.
#ifndef ORRERY_PASSES_SHARD_PARTIALPLAN_H
#define ORRERY_PASSES_SHARD_PARTIALPLAN_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/analysis/FactorAxes.h"

namespace orrery::passes {

/// Factors of every shardable op of a function, in program order.
using OpFactors = llvm::MapVector<mlir::Operation *, FactorAxes>;

/// Decides for every operand that may be partial whether its op works on the
/// partial value or on the reduced one.
///
/// First every linear op keeps what it may: the most that could be partial.
/// Then, from the last op to the first, cost(v) is the number of bytes reduced
/// on behalf of v:
///   here  = bytes of v
///   later = sum over users of cost(result) / number of partial operands
/// with nothing for accumulate_grad and metric, which are reduced once a step.
/// v is reduced at once when a user needs the whole value or here <= later.
/// Dividing by the operands is what merges reductions: of y1 + y2, each pays
/// half. A value that is reduced takes the others of its sum along, so the two
/// walks repeat until nothing changes.
///
/// Example, y1 and y2 partial: y1 + y2 costs bytes(y)/2 each later, bytes(y)
/// each here: both stay partial. y1 + bias cannot: the bias is whole.
///
/// A sum of partial values over an axis cannot split a dimension over that axis
/// too, as sequence parallelism would: it gives the split up, and its result is
/// scattered once instead of each operand.
class PartialPlan {
public:
  /// Takes back splits in `factors` that such sums give up.
  PartialPlan(mlir::func::FuncOp function, OpFactors &factors,
              dfg::MeshAttr mesh);

  /// True when `operand`'s op works on the partial value.
  bool keepsPartial(mlir::OpOperand &operand) const;
  /// Axes over which `value` is partial when it is made: those that its op
  /// reduces, and those that its op kept from operands.
  dfg::Axes partialAxes(mlir::Value value) const;

private:
  void followForward();
  bool decideBackward();
  void keepAccumulated(mlir::Operation *op);
  void keepOperands(mlir::Operation *op, FactorAxes &factors);
  bool isOpen(mlir::OpOperand &operand) const;
  bool isDisjoint(mlir::OpOperand &operand, const FactorAxes &factors) const;
  double laterCost(mlir::OpOperand &use) const;

  mlir::func::FuncOp function;
  OpFactors &factors;
  llvm::DenseMap<mlir::Operation *, FactorAxes> given; // before a split went
  dfg::MeshAttr mesh;
  llvm::DenseMap<mlir::Value, dfg::Axes> partial; // as far as sums go
  llvm::DenseMap<mlir::Value, double> cost;       // bytes
  llvm::DenseSet<mlir::Value> reduced;            // decided: at once
  llvm::DenseSet<mlir::OpOperand *> kept;
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_SHARD_PARTIALPLAN_H
