// Groups the parameters of a rank class into flat values.
#ifndef ORRERY_PASSES_UPDATE_BUCKET_H
#define ORRERY_PASSES_UPDATE_BUCKET_H

#include "dialects/dfg/DfgDialect.h"

namespace orrery::passes {

/// A declared bucket and what the step must know of it. Parameters start at
/// multiples of 16 elements; the whole is a multiple of 16 times the data
/// replicas, so that it splits evenly among them:
///
///   | w0 ····| w1 | w2 ······|··|      · padding, zero in every field
struct Bucket {
  dfg::BucketOp op;
  dfg::Axes sharded;                 // axes that split its parameters
  dfg::Axes partial;                 // axes over which gradients are partial
  llvm::SmallVector<int64_t> owners; // stages of tied parameters, else empty
  int64_t padding = 0;               // elements that belong to no parameter
  /// False for the copies of tied parameters behind the first owner.
  bool countsInNorm = true;

  mlir::RankedTensorType getType() const {
    return mlir::cast<mlir::RankedTensorType>(dfg::BucketOp(op).getType());
  }
};

/// Declares the buckets of `rankClass` behind its parameters. `states` are the
/// optimizer's; "master" is added to buckets of 16-bit weights. Emits an error
/// where the uses of a parameter leave gradients in different states.
mlir::FailureOr<llvm::SmallVector<Bucket>>
makeBuckets(mlir::ModuleOp rankClass, dfg::MeshAttr mesh,
            llvm::ArrayRef<llvm::StringRef> states);

/// Reads field "weight" (of the parameters' type), "gradient" or a state (f32).
mlir::Value readField(mlir::OpBuilder &builder, const Bucket &bucket,
                      llvm::StringRef field);
void writeField(mlir::OpBuilder &builder, const Bucket &bucket,
                llvm::StringRef field, mlir::Value value);

/// The axes of `axes` in the order of the mesh, without those of size 1.
dfg::Axes inMeshOrder(llvm::ArrayRef<mlir::StringAttr> axes,
                      dfg::MeshAttr mesh);

/// The `dfg.sharding` of an op that has one for its only operand.
std::optional<dfg::Sharding> getOperandSharding(mlir::Operation *op);

} // namespace orrery::passes

#endif // ORRERY_PASSES_UPDATE_BUCKET_H
