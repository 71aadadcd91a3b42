// Verifiers of the ops that read and write what outlives a microbatch.
#include "dialects/dfg/DfgDialect.h"
#include "dialects/dfg/verify/ShapeCheck.h"

using namespace mlir;
using namespace orrery::dfg;

static LogicalResult checkScalar(Operation *op, StringRef what, Type type) {
  return checkRank(op, what, cast<RankedTensorType>(type), 0);
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

LogicalResult ParameterOp::verify() {
  static constexpr StringLiteral kRoles[] = {"column", "row", "vocabulary",
                                             "replicated"};
  if (!llvm::is_contained(kRoles, getRole())) // C1
    return emitOpError() << "role is \"" << getRole()
                         << "\", must be \"column\", \"row\", \"vocabulary\" "
                            "or \"replicated\"";
  auto type = dyn_cast<RankedTensorType>(getType());
  if (!type || !type.hasStaticShape() ||
      !isa<FloatType>(type.getElementType())) // C2
    return emitOpError() << "type is " << getType()
                         << ", must be a floating-point tensor of static shape";
  if (!getSharding() || !getGlobalType())
    return success();
  Sharding sharding = Sharding::get(*getSharding());
  auto global = dyn_cast<RankedTensorType>(*getGlobalType());
  MeshAttr mesh = getMesh(*this);
  if (!global ||
      global.getRank() != static_cast<int64_t>(sharding.dims.size())) // C3
    return emitOpError() << "global_type " << *getGlobalType()
                         << " does not fit the sharding " << *getSharding();
  if (mesh && sharding.localType(global, mesh) != type) // C3
    return emitOpError() << "type is " << type << ", the sharding of " << global
                         << " leaves " << sharding.localType(global, mesh);
  return success();
}

/// C1: the parameter exists and has the shape of `type`.
static LogicalResult checkParameter(Operation *op, FlatSymbolRefAttr name,
                                    RankedTensorType type, StringRef what,
                                    SymbolTableCollection &symbols) {
  auto parameter = symbols.lookupNearestSymbolFrom<ParameterOp>(op, name);
  if (!parameter) // C1
    return op->emitOpError()
           << "names the parameter " << name << ", which does not exist";
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(parameter.getType()).getShape();
  if (type.getShape() == shape)
    return success();
  InFlightDiagnostic error =
      op->emitOpError() << what << " has shape " << shapeText(type.getShape())
                        << ", the parameter has " << shapeText(shape); // C1
  error.attachNote(parameter.getLoc()) << "the parameter is declared here";
  return error;
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return checkParameter(*this, getParameterAttr(), getResult().getType(),
                        "result", symbols);
}

LogicalResult
AccumulateGradOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return checkParameter(*this, getParameterAttr(), getGrad().getType(), "grad",
                        symbols);
}

//===----------------------------------------------------------------------===//
// Scalars and metrics
//===----------------------------------------------------------------------===//

LogicalResult ScalarOp::verify() {
  return checkScalar(*this, "result", getResult().getType()); // C1
}
LogicalResult MetricOp::verify() {
  return checkScalar(*this, "value", getValue().getType()); // C1
}
LogicalResult MetricReadOp::verify() {
  return checkScalar(*this, "result", getResult().getType()); // C1
}
LogicalResult MetricWriteOp::verify() {
  return checkScalar(*this, "value", getValue().getType()); // C1
}

template <typename Op> static LogicalResult checkFlatReduce(Op op) {
  if (failed(checkScalar(op, "result", op.getResult().getType()))) // C1
    return failure();
  return checkElement(op, "result", op.getResult().getType(), // C1
                      Float64Type::get(op.getContext()));
}
LogicalResult SquareSumOp::verify() { return checkFlatReduce(*this); }
LogicalResult CountZerosOp::verify() { return checkFlatReduce(*this); }
LogicalResult CountNotFiniteOp::verify() { return checkFlatReduce(*this); }

//===----------------------------------------------------------------------===//
// Buckets
//===----------------------------------------------------------------------===//

LogicalResult BucketOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getType());
  if (!type || type.getRank() != 1) // C1
    return emitOpError() << "type is " << getType()
                         << ", must be a tensor of one dimension";
  if (getOffsets().size() != getParameters().size()) // C2
    return emitOpError() << "has " << getParameters().size()
                         << " parameters and " << getOffsets().size()
                         << " offsets";
  return success();
}

LogicalResult BucketOp::verifySymbolUses(SymbolTableCollection &symbols) {
  int64_t end = 0;
  for (auto [name, offset] : llvm::zip_equal(
           getParameters().getAsRange<FlatSymbolRefAttr>(), getOffsets())) {
    auto parameter = symbols.lookupNearestSymbolFrom<ParameterOp>(*this, name);
    if (!parameter) // C3
      return emitOpError() << "names the parameter " << name
                           << ", which does not exist";
    if (offset < end) // C4
      return emitOpError() << "parameter " << name << " starts at " << offset
                           << ", the one before it ends at " << end;
    end = offset + cast<RankedTensorType>(parameter.getType()).getNumElements();
  }
  int64_t size = cast<RankedTensorType>(getType()).getNumElements();
  if (end > size) // C4
    return emitOpError() << "parameters end at " << end << ", the bucket has "
                         << size << " elements";
  return success();
}

/// C1: the bucket exists and has the field; C2: `type` fits the bucket.
static LogicalResult checkBucket(Operation *op, FlatSymbolRefAttr name,
                                 StringRef field, RankedTensorType type,
                                 StringRef what,
                                 SymbolTableCollection &symbols) {
  auto bucket = symbols.lookupNearestSymbolFrom<BucketOp>(op, name);
  if (!bucket) // C1
    return op->emitOpError()
           << "names the bucket " << name << ", which does not exist";
  bool known = field == "weight" || field == "gradient" ||
               llvm::is_contained(
                   bucket.getStates().getAsValueRange<StringAttr>(), field);
  InFlightDiagnostic error = op->emitOpError();
  error.attachNote(bucket.getLoc()) << "the bucket is declared here";
  if (!known) // C1
    return error << "bucket " << name << " has no field \"" << field
                 << "\", it has \"weight\", \"gradient\" and the states "
                 << bucket.getStates();
  ArrayRef<int64_t> shape = cast<RankedTensorType>(bucket.getType()).getShape();
  if (type.getShape() != shape) // C2
    return error << what << " has shape " << shapeText(type.getShape())
                 << ", the bucket has " << shapeText(shape);
  error.abandon();
  return success();
}

LogicalResult BucketReadOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return checkBucket(*this, getBucketAttr(), getField(), getResult().getType(),
                     "result", symbols);
}

LogicalResult BucketWriteOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return checkBucket(*this, getBucketAttr(), getField(), getValue().getType(),
                     "value", symbols);
}
