// The rules by which optimizers change a bucket.
#ifndef ORRERY_PASSES_UPDATE_OPTIMIZER_H
#define ORRERY_PASSES_UPDATE_OPTIMIZER_H

#include "passes/update/Bucket.h"
#include "passes/update/Formula.h"
#include "passes/update/Passes.h"

namespace orrery::passes {

/// Names of the optimizer's state fields.
llvm::ArrayRef<llvm::StringRef> getStates(const DfgUpdateOptions &options);

/// What a step changes: named fields of a bucket, all f32.
class Optimizer {
public:
  Optimizer(mlir::OpBuilder &builder, const DfgUpdateOptions &options)
      : builder(builder), options(options) {}

  /// Writes the new weights and states of `bucket`. The gradient is multiplied
  /// by `factor` first; where `overflow` is not zero everything stays as it is.
  /// Both are f32 scalars or null.
  void update(const Bucket &bucket, mlir::Value factor, mlir::Value overflow);

private:
  /// A field's value before and after the step.
  struct Change {
    llvm::StringRef field;
    mlir::Value before, after;
  };
  using Changes = llvm::SmallVector<Change, 4>;

  /// Returns the new weight; appends what becomes of the states.
  mlir::Value adam(Formula &f, const Bucket &bucket, mlir::Value weight,
                   mlir::Value grad, Changes &changes);
  mlir::Value sgd(Formula &f, const Bucket &bucket, mlir::Value weight,
                  mlir::Value grad, Changes &changes);

  mlir::OpBuilder &builder;
  const DfgUpdateOptions &options;
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_UPDATE_OPTIMIZER_H
