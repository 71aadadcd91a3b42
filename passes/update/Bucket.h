// Groups the parameters of a rank class into flat values.
#ifndef ORRERY_PASSES_UPDATE_BUCKET_H
#define ORRERY_PASSES_UPDATE_BUCKET_H

#include "dialects/dfg/DfgDialect.h"

namespace orrery::passes {

/// Elements [begin, end) of a bucket whose parameters are alike in how they
/// count: split over the same axes, tied to the same stages.
struct BucketRange {
  int64_t begin = 0, end = 0;
  int64_t padding = 0;               // elements that belong to no parameter
  dfg::Axes sharded;                 // axes that split the parameters
  llvm::SmallVector<int64_t> owners; // stages of tied parameters, else empty
  /// False for the copies of tied parameters behind the first owner.
  bool countsInNorm = true;
};

/// A declared bucket and what the step must know of it. All its gradients are
/// partial alike, so that one collective a step reduces them. Parameters start
/// at multiples of 16 elements; the whole is a multiple of 16 times the data
/// replicas, so that it splits evenly among them:
///
///   | w0 ····| w1 | w2 ······|··|      · padding, zero in every field
///   |<- range 0 ->|<- range 1 ->|
struct Bucket {
  dfg::BucketOp op;
  dfg::Axes partial; // axes over which gradients are partial
  llvm::SmallVector<BucketRange, 2> ranges;

  mlir::RankedTensorType getType() const {
    return mlir::cast<mlir::RankedTensorType>(dfg::BucketOp(op).getType());
  }
  bool isTied() const {
    return llvm::any_of(
        ranges, [](const BucketRange &range) { return !range.owners.empty(); });
  }
};

/// Declares the buckets of `rankClass` behind its parameters. `states` are the
/// optimizer's; "master" is added to buckets of 16-bit weights. Emits an error
/// where the uses of a parameter leave gradients in different states.
mlir::FailureOr<llvm::SmallVector<Bucket, 0>>
makeBuckets(mlir::ModuleOp rankClass, dfg::MeshAttr mesh,
            llvm::ArrayRef<llvm::StringRef> states);

/// Reads field "weight" (of the parameters' type), "gradient" or a state (f32).
mlir::Value readField(mlir::OpBuilder &builder, const Bucket &bucket,
                      llvm::StringRef field);
void writeField(mlir::OpBuilder &builder, const Bucket &bucket,
                llvm::StringRef field, mlir::Value value);

/// The elements of `range` of a flat value of the bucket; the value itself when
/// the bucket has one range.
mlir::Value sliceRange(mlir::OpBuilder &builder, const Bucket &bucket,
                       const BucketRange &range, mlir::Value flat);

/// The axes of `axes` in the order of the mesh, without those of size 1.
dfg::Axes inMeshOrder(llvm::ArrayRef<mlir::StringAttr> axes,
                      dfg::MeshAttr mesh);

/// The `dfg.sharding` of an op that has one for its only operand.
std::optional<dfg::Sharding> getOperandSharding(mlir::Operation *op);

} // namespace orrery::passes

#endif // ORRERY_PASSES_UPDATE_BUCKET_H
