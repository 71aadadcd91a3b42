// The sharding algebra as data: states of values and factor rules of ops.
#ifndef ORRERY_DIALECTS_DFG_SHARDINGRULE_H
#define ORRERY_DIALECTS_DFG_SHARDINGRULE_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/SmallVector.h"
#include <string>

namespace orrery::dfg {

enum class Reduction : uint32_t;
class MeshAttr;
class ShardingAttr;

/// Mesh axes that split one dimension or factor, major to minor.
using Axes = llvm::SmallVector<mlir::StringAttr, 2>;

/// State of a value on the mesh; the mutable twin of `#dfg.sharding`.
///   x: [b{dp}, s, h{tp}] partial sum {}   dims = {{dp}, {}, {tp}}
struct Sharding {
  llvm::SmallVector<Axes, 4> dims;
  Axes partial;
  Reduction reduction{};

  static Sharding replicated(int64_t rank) {
    Sharding sharding;
    sharding.dims.resize(rank);
    return sharding;
  }
  static Sharding get(ShardingAttr attr);
  ShardingAttr toAttr(mlir::MLIRContext *context) const;

  bool isPartial() const { return !partial.empty(); }
  bool uses(mlir::StringAttr axis) const;
  /// The same placement with nothing left to reduce.
  Sharding resolved() const;
  /// The shape that one rank holds of `type`; dimensions must divide evenly.
  mlir::RankedTensorType localType(mlir::RankedTensorType type,
                                   MeshAttr mesh) const;
  bool operator==(const Sharding &other) const;
};

/// A set of dimensions that must be split alike for local execution to be
/// right. Example, matmul x[t, i] · w[i, o] → y[t, o]: t and o occur in the
/// result; i does not, so splitting i leaves y partial.
struct Factor {
  int64_t size = 1;
  /// May not be split at all (layer norm's features).
  bool whole = false;
  /// How a result that lacks this factor combines over its axes.
  Reduction reduction{};
};

/// Factors of one dimension, major to minor: (n·3·k) is three.
using DimFactors = llvm::SmallVector<unsigned, 2>;
using TensorFactors = llvm::SmallVector<DimFactors, 4>;

/// What an operand that is partial (sum) may do.
enum class Linearity {
  None,     // must be resolved first
  Each,     // linear in this operand alone: the result is partial too
  Together, // partial in all such operands over the same axes, or in none
};

/// An op's factor rule.
struct ShardingRule {
  llvm::SmallVector<Factor, 6> factors;
  llvm::SmallVector<TensorFactors, 3> operands;
  llvm::SmallVector<TensorFactors, 2> results;
  llvm::SmallVector<Linearity, 3> linearity; // per operand

  /// Builds a rule from an equation such as
  ///   "s b (n k), h (n k) -> s b h"
  /// names separated by blanks, compound dimensions in parentheses, tensors by
  /// commas. Sizes come from the types where a dimension is one factor; the
  /// sizes of compound factors come from other occurrences or are inferred
  /// when all but one are known. A '!' before a name makes the factor whole, a
  /// '^' gives it the reduction max.
  static ShardingRule parse(llvm::StringRef equation,
                            mlir::TypeRange operandTypes,
                            mlir::TypeRange resultTypes);
  /// Every dimension of every operand and result is the same pass factor.
  static ShardingRule elementwise(mlir::TypeRange operandTypes,
                                  mlir::TypeRange resultTypes,
                                  Linearity linearity);
  /// Row-major reinterpretation of one shape as another.
  static ShardingRule reshape(mlir::RankedTensorType from,
                              mlir::RankedTensorType to);

  /// True when `factor` occurs in result `index`.
  bool occursInResult(unsigned factor, unsigned index) const;
  /// True when `factor` occurs in any operand.
  bool occursInOperand(unsigned factor) const;
  /// Empty when the rule fits the types, else what is wrong.
  std::string check(mlir::TypeRange operandTypes,
                    mlir::TypeRange resultTypes) const;
};

} // namespace orrery::dfg

#endif // ORRERY_DIALECTS_DFG_SHARDINGRULE_H
