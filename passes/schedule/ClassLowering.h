// State of the lowering of one rank class from dfg tensors to rank buffers.
#ifndef ORRERY_PASSES_SCHEDULE_CLASSLOWERING_H
#define ORRERY_PASSES_SCHEDULE_CLASSLOWERING_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/schedule/Place.h"
#include "llvm/ADT/StringMap.h"

namespace orrery::passes {

/// Lowers the functions of one class module to the programs of a `rank.class`.
///
/// Values become places (views of buffers). Views (reshape, slice, transpose)
/// cost nothing where strides allow. A value that is only written somewhere
/// (into a bucket, a metric, a concat, a message, a gradient) is produced right
/// there. A value that crosses `dfg.begin_backward` lies in a stash buffer with
/// one slot per microbatch in flight.
class ClassLowering {
public:
  ClassLowering(mlir::ModuleOp classModule, mlir::ModuleOp planModule);
  mlir::LogicalResult run();
  rank::ClassOp getClass() { return target; }

private:
  // Structure (ClassLowering.cpp).
  mlir::LogicalResult declareState();
  void declareBucket(dfg::BucketOp bucket);
  void declareParameter(dfg::BucketOp bucket, dfg::ParameterOp parameter,
                        int64_t offset);
  mlir::LogicalResult lowerFunction(mlir::func::FuncOp function,
                                    llvm::StringRef first,
                                    llvm::StringRef second);
  void beginProgram(llvm::StringRef name);
  mlir::LogicalResult lowerOp(mlir::Operation *op);

  // Places (Destinations.cpp).
  bool crossesToBackward(mlir::Value value);
  mlir::FlatSymbolRefAttr createBuffer(rank::BufferKind kind,
                                       mlir::MemRefType type, int64_t slots,
                                       llvm::StringRef label = {});
  Place allocate(mlir::Value value, rank::BufferKind kind, int64_t slots);
  Place scalarPlace(llvm::StringRef name, mlir::Type type);
  /// Where `value` should be produced; allocates when nothing else fits.
  Place destinationFor(mlir::Value value);
  std::optional<Place> destinationInUser(mlir::Value value);
  std::optional<Place> bucketField(mlir::FlatSymbolRefAttr bucket,
                                   llvm::StringRef field);
  Place parameterField(mlir::FlatSymbolRefAttr parameter,
                       llvm::StringRef field);
  bool isReadLater(mlir::Operation *after, const Place &place);
  bool isOverwrittenLater(mlir::Operation *after, const Place &place);
  bool mayReduceInPlace(mlir::Operation *op, const Place &in);

  // Instructions (LowerInstructions.cpp).
  mlir::Value view(const Place &place);
  mlir::Value viewOf(mlir::Value value) { return view(places.at(value)); }
  /// The place of `value`, copied to be row-major when it is not.
  Place contiguous(mlir::Value value);
  void copy(const Place &from, const Place &to);
  void note(mlir::Operation *instruction, mlir::Operation *from);
  mlir::LogicalResult lowerMatmul(dfg::MatmulOp op);
  mlir::LogicalResult lowerFused(dfg::FusedOp op);
  mlir::LogicalResult lowerAttention(dfg::AttentionOp op);
  mlir::LogicalResult lowerAttentionGrad(dfg::AttentionGradOp op);
  mlir::LogicalResult lowerReduce(dfg::ReduceOp op);
  mlir::LogicalResult lowerReshape(dfg::ReshapeOp op);
  mlir::LogicalResult lowerConcat(dfg::ConcatOp op);
  mlir::LogicalResult lowerEmbeddingGrad(dfg::EmbeddingGradOp op);
  mlir::LogicalResult lowerCollective(mlir::Operation *op);
  mlir::LogicalResult lowerTransfer(mlir::Operation *op);
  void flatReduce(mlir::Operation *op, rank::FlatOp kind);
  /// to += from, by a generated kernel.
  void add(mlir::Operation *op, const Place &from, const Place &to);
  /// The accumulate_grad that is the only user of `value`, or null.
  dfg::AccumulateGradOp soleGradient(mlir::Value value);
  mlir::FlatSymbolRefAttr communicator(mlir::ArrayAttr axes,
                                       mlir::DenseI64ArrayAttr only);

  mlir::ModuleOp source;
  mlir::ModuleOp plan; // holds communicators and classes
  rank::ClassOp target;
  mlir::OpBuilder builder;      // inserts instructions into the open program
  mlir::OpBuilder declarations; // inserts buffers at the head of the class
  llvm::DenseMap<mlir::Value, Place> places;
  /// Gradients already added where they were produced.
  llvm::SmallPtrSet<mlir::Operation *, 16> done;
  llvm::StringMap<mlir::FlatSymbolRefAttr> scalars;
  /// "bucket.field" → the whole buffer.
  llvm::StringMap<Place> fields;
  struct ParameterPlace {
    mlir::FlatSymbolRefAttr bucket;
    int64_t offset;
    mlir::RankedTensorType type; // local
  };
  llvm::DenseMap<mlir::Attribute, ParameterPlace> parameters;
  mlir::Operation *marker = nullptr; // begin_backward of the open function
  bool inForward = false;
  int64_t numBuffers = 0;
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_SCHEDULE_CLASSLOWERING_H
