// Backwards of the elementwise ops and of those that move dimensions. Those of
// the model's ops are in ModelBackward.cpp.
//
// Agreement: one gradient per operand is appended, of the operand's type; a
// null Value means that none flows (integers, a maximum's reduction). Nothing
// is appended twice and no op is built for a gradient that is null.
#include "dialects/dfg/DfgDialect.h"

using namespace mlir;
using namespace orrery::dfg;

using Grads = SmallVectorImpl<Value>;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static Value constant(OpBuilder &builder, Location loc, Type type,
                      double value) {
  return ConstantOp::create(builder, loc, type, builder.getF64FloatAttr(value));
}

static Value scale(OpBuilder &builder, Location loc, Value value,
                   double factor) {
  return MulOp::create(builder, loc, value,
                       constant(builder, loc, value.getType(), factor));
}

static Value negate(OpBuilder &builder, Location loc, Value value) {
  return scale(builder, loc, value, -1.0);
}

static Value castTo(OpBuilder &builder, Location loc, Value value, Type type) {
  return value.getType() == type ? value
                                 : CastOp::create(builder, loc, type, value);
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

// y = a + b: da = dy, db = dy.
void AddOp::buildBackward(OpBuilder &, ArrayRef<Value> dy, Grads &grads) {
  grads.append({dy[0], dy[0]});
}

// y = a - b: da = dy, db = -dy.
void SubOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                          Grads &grads) {
  grads.append({dy[0], negate(builder, getLoc(), dy[0])});
}

// y = a b: da = dy b, db = dy a.
void MulOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                          Grads &grads) {
  grads.push_back(MulOp::create(builder, getLoc(), dy[0], getRhs()));
  grads.push_back(MulOp::create(builder, getLoc(), dy[0], getLhs()));
}

// y = a / b: da = dy / b, db = -dy y / b.
void DivOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                          Grads &grads) {
  Value da = DivOp::create(builder, getLoc(), dy[0], getRhs());
  Value scaled = MulOp::create(builder, getLoc(), da, getResult());
  grads.append({da, negate(builder, getLoc(), scaled)});
}

/// 1 where a > b, else 0: clamp((a - b) 2^100, 0, 1). Taken in f32 for 16-bit
/// types, whose range is too small for the factor. Where 0 < a - b < 2^-100 it
/// lies between the two, still a subgradient of a tie up to rounding.
static Value stepAbove(OpBuilder &builder, Location loc, Value a, Value b) {
  RankedTensorType type = typeOf(a), wide = type;
  if (type.getElementTypeBitWidth() < 32)
    wide = type.clone(builder.getF32Type());
  Value difference = SubOp::create(builder, loc, castTo(builder, loc, a, wide),
                                   castTo(builder, loc, b, wide));
  Value step = scale(builder, loc, difference, 0x1p100);
  step =
      MaximumOp::create(builder, loc, step, constant(builder, loc, wide, 0.0));
  step =
      MinimumOp::create(builder, loc, step, constant(builder, loc, wide, 1.0));
  return castTo(builder, loc, step, type);
}

/// Splits dy between `winner`, which gets it where `above` > `below`, and the
/// other operand.
static void splitByOrder(OpBuilder &builder, Location loc, Value dy,
                         Value above, Value below, Value &winner,
                         Value &other) {
  winner =
      MulOp::create(builder, loc, dy, stepAbove(builder, loc, above, below));
  other = SubOp::create(builder, loc, dy, winner);
}

// y = max(a, b): da = dy [a > b], db = dy - da. A tie goes to b.
void MaximumOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                              Grads &grads) {
  Value da, db;
  splitByOrder(builder, getLoc(), dy[0], getLhs(), getRhs(), da, db);
  grads.append({da, db});
}

// y = min(a, b): da = dy [b > a], db = dy - da. A tie goes to b.
void MinimumOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                              Grads &grads) {
  Value da, db;
  splitByOrder(builder, getLoc(), dy[0], getRhs(), getLhs(), da, db);
  grads.append({da, db});
}

// y = exp a: da = dy y.
void ExpOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                          Grads &grads) {
  grads.push_back(MulOp::create(builder, getLoc(), dy[0], getResult()));
}

// y = ln a: da = dy / a.
void LogOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                          Grads &grads) {
  grads.push_back(DivOp::create(builder, getLoc(), dy[0], getOperand()));
}

// y = sqrt a: da = dy / 2y.
void SqrtOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                           Grads &grads) {
  Value half = scale(builder, getLoc(), dy[0], 0.5);
  grads.push_back(DivOp::create(builder, getLoc(), half, getResult()));
}

// y = a^(-1/2): da = -dy y / 2a.
void RsqrtOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                            Grads &grads) {
  Value scaled = MulOp::create(builder, getLoc(), dy[0], getResult());
  Value half = scale(builder, getLoc(), scaled, -0.5);
  grads.push_back(DivOp::create(builder, getLoc(), half, getOperand()));
}

void GeluOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                           Grads &grads) {
  grads.push_back(GeluGradOp::create(builder, getLoc(), getResult().getType(),
                                     getFormAttr(), dy[0], getOperand()));
}

void CastOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                           Grads &grads) {
  grads.push_back(castTo(builder, getLoc(), dy[0], getOperand().getType()));
}

// The mask is a function of stream and position: dropout is its own backward.
void DropoutOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                              Grads &grads) {
  grads.push_back(DropoutOp::create(
      builder, getLoc(), getResult().getType(), dy[0], getProbabilityAttr(),
      getStreamAttr(), getLayerAttr(), getExtentAttr(), getOffsetAttr()));
}

//===----------------------------------------------------------------------===//
// Dimensions
//===----------------------------------------------------------------------===//

/// The dimensions below `rank` that `dims` lacks.
static SmallVector<int64_t> otherDims(int64_t rank, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> others;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(dims, dim))
      others.push_back(dim);
  return others;
}

// Every copy of an element sends its gradient: the sum over the new dimensions.
void BroadcastOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                                Grads &grads) {
  SmallVector<int64_t> repeated =
      otherDims(typeOf(getResult()).getRank(), getDims());
  if (repeated.empty()) {
    grads.push_back(dy[0]);
    return;
  }
  grads.push_back(ReduceOp::create(builder, getLoc(), getOperand().getType(),
                                   Reduction::Sum, dy[0], repeated));
}

// Sum: every element gets the gradient of its sum. Max: none (see the op).
void ReduceOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                             Grads &grads) {
  if (getKind() == Reduction::Max) {
    grads.push_back(Value());
    return;
  }
  SmallVector<int64_t> kept =
      otherDims(typeOf(getOperand()).getRank(), getDims());
  grads.push_back(BroadcastOp::create(builder, getLoc(), getOperand().getType(),
                                      dy[0], kept));
}

void ReshapeOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                              Grads &grads) {
  grads.push_back(
      ReshapeOp::create(builder, getLoc(), getOperand().getType(), dy[0]));
}

void TransposeOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                                Grads &grads) {
  SmallVector<int64_t> inverse(getPerm().size());
  for (auto [to, from] : llvm::enumerate(getPerm()))
    inverse[from] = to;
  grads.push_back(TransposeOp::create(builder, getLoc(), getOperand().getType(),
                                      dy[0], inverse));
}

// Zeros before and behind the slice. Where several slices of one value meet in
// an add, the canonicaliser joins them (DfgFolds.cpp).
void SliceOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                            Grads &grads) {
  RankedTensorType whole = typeOf(getOperand());
  int64_t dim = getDim(), end = getStart() + getSize();
  SmallVector<Value> parts;
  auto zeros = [&](int64_t size) {
    if (size == 0)
      return;
    SmallVector<int64_t> shape(whole.getShape());
    shape[dim] = size;
    parts.push_back(constant(builder, getLoc(), whole.clone(shape), 0.0));
  };
  zeros(getStart());
  parts.push_back(dy[0]);
  zeros(whole.getDimSize(dim) - end);
  grads.push_back(parts.size() == 1
                      ? dy[0]
                      : ConcatOp::create(builder, getLoc(), whole, parts, dim));
}

void ConcatOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                             Grads &grads) {
  int64_t start = 0, dim = getDim();
  for (Value operand : getOperands()) {
    int64_t size = typeOf(operand).getDimSize(dim);
    grads.push_back(SliceOp::create(builder, getLoc(), operand.getType(), dy[0],
                                    dim, start, size));
    start += size;
  }
}
