// Which mesh axes split which factor of one op.
#ifndef ORRERY_PASSES_ANALYSIS_FACTORAXES_H
#define ORRERY_PASSES_ANALYSIS_FACTORAXES_H

#include "dialects/dfg/DfgDialect.h"

namespace orrery::passes {

/// The factors of one op and the axes that split each.
///
/// Matmul x[t, i] · w[i, o] → y[t, o] has the factors t, i, o. Where x is split
/// as [dp, _] and w as [_, tp], claiming both gives t{dp}, o{tp}: y lies as
/// [dp, tp]. An axis is claimed by one factor only, so the order of claims
/// decides conflicts.
class FactorAxes {
public:
  /// What became of a claim.
  enum class Claim {
    Known,       // the factor has this axis already
    Granted,     // new
    Taken,       // another factor, or the same one in another order, has it
    Whole,       // the factor may not be split
    Indivisible, // its size does not divide evenly
    Buried,      // a minor part of a dimension whose major part is not split
  };

  FactorAxes() = default;
  FactorAxes(dfg::ShardingRule rule, dfg::MeshAttr mesh);

  /// Claims for the factors of `tensor` what `dims` splits. Returns the most
  /// surprising outcome: Indivisible if any, else Granted if any, else Known
  /// or the reason of a refusal. `factor` is set where it is Indivisible.
  Claim claim(const dfg::TensorFactors &tensor, mlir::ArrayRef<dfg::Axes> dims,
              unsigned *factor = nullptr);

  /// Takes back the claim of `axis`, and those behind it in its factor.
  void release(mlir::StringAttr axis);

  /// How the claims split the dimensions of `tensor`.
  llvm::SmallVector<dfg::Axes, 4>
  placement(const dfg::TensorFactors &tensor) const;

  /// Axes over which result `index` is partial because a factor that it lacks
  /// is split. Sums and maxima never mix: `reduction` receives the kind.
  dfg::Axes reducedAxes(unsigned index, dfg::Reduction &reduction) const;

  /// True when a factor has claimed `axis`.
  bool uses(mlir::StringAttr axis) const;

  const dfg::ShardingRule &getRule() const { return rule; }
  mlir::ArrayRef<dfg::Axes> getAxes() const { return axes; }

  /// `[[], ["dp"], ["tp"]]`: one entry per factor.
  mlir::ArrayAttr toAttr(mlir::MLIRContext *context) const;
  /// Takes the claims from such an attribute; fails where its length differs.
  mlir::LogicalResult fromAttr(mlir::ArrayAttr attr);

private:
  Claim claimOne(unsigned factor, unsigned position, mlir::StringAttr axis);
  bool isFull(unsigned factor) const;

  dfg::ShardingRule rule;
  dfg::MeshAttr mesh;
  llvm::SmallVector<dfg::Axes> axes; // per factor
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_ANALYSIS_FACTORAXES_H
