// Builds the functions that run once a step.
#ifndef ORRERY_PASSES_UPDATE_STEP_H
#define ORRERY_PASSES_UPDATE_STEP_H

#include "passes/update/Bucket.h"
#include "passes/update/Formula.h"
#include "passes/update/Passes.h"

namespace orrery::passes {

/// Appends @update and @evaluate_finish to `rankClass`.
class StepBuilder {
public:
  StepBuilder(mlir::ModuleOp rankClass, dfg::MeshAttr mesh,
              const DfgUpdateOptions &options, llvm::ArrayRef<Bucket> buckets);

  void buildUpdate();
  void buildEvaluateFinish();

private:
  void beginFunction(llvm::StringRef name);
  void endFunction();
  /// All gradients summed over their partial axes and owners.
  void reduceGradients();
  /// The flat gradient with its tied ranges summed over their owners.
  mlir::Value sumOverOwners(const Bucket &bucket, mlir::Value grad);
  /// The sum of `measure`, a f64 scalar, of `field` over all ranges of the
  /// whole model, with every element counted once.
  mlir::Value
  sumOverModel(llvm::StringRef field,
               llvm::function_ref<mlir::Value(const BucketRange &, mlir::Value)>
                   measure);
  /// sqrt of the sum of squares of `field`.
  mlir::Value norm(llvm::StringRef field);
  /// What the optimizer multiplies gradients with; null for 1. `gradNorm` is
  /// that of the unscaled gradients, f64.
  mlir::Value gradientFactor(mlir::Value gradNorm);
  /// 1 when a gradient is not finite, else 0; f32. `scaledNorm` tells: squares
  /// of finite f32 numbers do not leave f64.
  mlir::Value findOverflow(mlir::Value scaledNorm);
  void writeMetric(llvm::StringRef name, mlir::Value value);
  void writeNumZeros();
  /// Metrics of function @`function`, summed over their partial axes.
  void reduceMetrics(llvm::StringRef function);

  mlir::ModuleOp rankClass;
  dfg::MeshAttr mesh;
  const DfgUpdateOptions &options;
  llvm::ArrayRef<Bucket> buckets;
  mlir::OpBuilder builder;
  Formula f;
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_UPDATE_STEP_H
