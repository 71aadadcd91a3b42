// Where values lie: buffers, views of state, and writing in place.
#include "passes/schedule/ClassLowering.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::passes;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static bool isView(Operation *op) {
  return isa<dfg::ReshapeOp, dfg::SliceOp, dfg::TransposeOp, dfg::ConcatOp>(op);
}

/// True when `value`, or a view of it, is used behind begin_backward.
bool ClassLowering::crossesToBackward(Value value) {
  if (!inForward || !marker)
    return false;
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    if (marker->isBeforeInBlock(user))
      return true;
    return isView(user) && crossesToBackward(user->getResult(0));
  });
}

FlatSymbolRefAttr ClassLowering::createBuffer(rank::BufferKind kind,
                                              MemRefType type, int64_t slots,
                                              StringRef label) {
  std::string name = "b" + std::to_string(numBuffers++);
  auto labelAttr = label.empty() ? StringAttr() : builder.getStringAttr(label);
  rank::BufferOp::create(declarations, target.getLoc(),
                         rank::BufferKindAttr::get(builder.getContext(), kind),
                         builder.getStringAttr(name), TypeAttr::get(type),
                         builder.getI64IntegerAttr(slots), labelAttr,
                         IntegerAttr(), IntegerAttr());
  return FlatSymbolRefAttr::get(builder.getContext(), name);
}

Place ClassLowering::allocate(Value value, rank::BufferKind kind,
                              int64_t slots) {
  if (crossesToBackward(value)) {
    slots = 0;
    if (kind == rank::BufferKind::Work)
      kind = rank::BufferKind::Stash;
  }
  RankedTensorType type = typeOf(value);
  auto memref = MemRefType::get(type.getShape(), type.getElementType());
  return Place::whole(createBuffer(kind, memref, slots), type);
}

Place ClassLowering::scalarPlace(StringRef name, Type type) {
  auto tensor = cast<RankedTensorType>(type);
  FlatSymbolRefAttr &buffer = scalars[name];
  if (!buffer)
    buffer = createBuffer(
        rank::BufferKind::Scalar,
        MemRefType::get(tensor.getShape(), tensor.getElementType()), 1, name);
  return Place::whole(buffer, tensor);
}

std::optional<Place> ClassLowering::bucketField(FlatSymbolRefAttr bucket,
                                                StringRef field) {
  auto known = fields.find((bucket.getValue() + "." + field).str());
  if (known == fields.end())
    return std::nullopt;
  return known->second;
}

/// Every parameter has a bucket: declareState checks it.
Place ClassLowering::parameterField(FlatSymbolRefAttr parameter,
                                    StringRef field) {
  const ParameterPlace &known = parameters.at(parameter);
  Place flat = *bucketField(known.bucket, field);
  return Place::whole(
      flat.buffer,
      RankedTensorType::get(known.type.getShape(), flat.elementType),
      known.offset);
}

dfg::AccumulateGradOp ClassLowering::soleGradient(Value value) {
  if (!value.hasOneUse())
    return {};
  return dyn_cast<dfg::AccumulateGradOp>(*value.user_begin());
}

/// True when an op behind `after` reads state that lies in `place`'s buffer.
bool ClassLowering::isReadLater(Operation *after, const Place &place) {
  for (auto &[value, other] : places) {
    if (other.buffer != place.buffer)
      continue;
    for (Operation *user : value.getUsers())
      if (user->getBlock() == after->getBlock() &&
          after->isBeforeInBlock(user) && !isa<dfg::BucketWriteOp>(user))
        return true;
  }
  return false;
}

/// True when an op behind `after` writes state into `place`'s buffer.
bool ClassLowering::isOverwrittenLater(Operation *after, const Place &place) {
  for (Operation *op = after->getNextNode(); op; op = op->getNextNode()) {
    if (auto write = dyn_cast<dfg::BucketWriteOp>(op)) {
      auto field = bucketField(write.getBucketAttr(), write.getField());
      if (field && field->buffer == place.buffer)
        return true;
    }
    if (auto write = dyn_cast<dfg::MetricWriteOp>(op))
      if (scalarPlace(write.getName(), write.getValue().getType()).buffer ==
          place.buffer)
        return true;
  }
  return false;
}

/// The place that the only user of `value` wants it in, if there is one.
std::optional<Place> ClassLowering::destinationInUser(Value value) {
  if (!value.hasOneUse())
    return std::nullopt;
  Operation *user = *value.user_begin();
  if (auto write = dyn_cast<dfg::BucketWriteOp>(user)) {
    auto place = bucketField(write.getBucketAttr(), write.getField());
    if (place && !isReadLater(value.getDefiningOp(), *place))
      return place;
    return std::nullopt;
  }
  if (auto write = dyn_cast<dfg::MetricWriteOp>(user)) {
    Place place = scalarPlace(write.getName(), value.getType());
    if (!isReadLater(value.getDefiningOp(), place))
      return place;
    return std::nullopt;
  }
  if (isa<dfg::SendOp>(user))
    return allocate(value, rank::BufferKind::Boundary, 2);
  if (auto reshape = dyn_cast<dfg::ReshapeOp>(user)) {
    auto outer = destinationInUser(reshape.getResult());
    if (!outer)
      return std::nullopt;
    auto inner = outer->reshaped(typeOf(value).getShape());
    if (inner)
      places[reshape.getResult()] = *outer;
    return inner;
  }
  auto concat = dyn_cast<dfg::ConcatOp>(user);
  if (!concat)
    return std::nullopt;
  auto known = places.find(concat.getResult());
  Place whole = known != places.end() ? known->second
                                      : destinationFor(concat.getResult());
  places[concat.getResult()] = whole;
  int64_t start = 0;
  for (Value operand : concat.getOperands()) {
    int64_t size = typeOf(operand).getDimSize(concat.getDim());
    if (operand == value)
      return whole.sliced(concat.getDim(), start, size);
    start += size;
  }
  llvm_unreachable("a user has the value among its operands");
}

Place ClassLowering::destinationFor(Value value) {
  auto known = places.find(value);
  if (known != places.end())
    return known->second;
  std::optional<Place> wanted = destinationInUser(value);
  Place place = wanted ? *wanted : allocate(value, rank::BufferKind::Work, 1);
  places[value] = place;
  return place;
}
