// The backward of every differentiable op.
#include "dialects/dfg/DfgDialect.h"

using namespace mlir;
using namespace orrery::dfg;

using Grads = SmallVectorImpl<Value>;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static Value negate(OpBuilder &builder, Location loc, Value value) {
  Value minusOne = ConstantOp::create(builder, loc, value.getType(),
                                      builder.getF64FloatAttr(-1.0));
  return MulOp::create(builder, loc, value, minusOne);
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
void MaximumOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void MinimumOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void ExpOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void LogOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void SqrtOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void RsqrtOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void GeluOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void CastOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void DropoutOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void BroadcastOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void ReduceOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void ReshapeOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void TransposeOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void SliceOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void ConcatOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void MatmulOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void EmbeddingOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void PickOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void LayerNormOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
void AttentionOp::buildBackward(OpBuilder &, ArrayRef<Value>, Grads &) { llvm_unreachable("pending"); }
