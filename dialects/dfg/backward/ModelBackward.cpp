// Backwards of the model's ops: products, lookups, norms, attention. The
// agreement of ElementwiseBackward.cpp holds. Results that exist for the
// backward alone (mean and rstd of layer_norm, lse of attention) pass no
// gradient on.
#include "dialects/dfg/DfgDialect.h"

using namespace mlir;
using namespace orrery::dfg;

using Grads = SmallVectorImpl<Value>;

//===----------------------------------------------------------------------===//
// Matmul
//===----------------------------------------------------------------------===//

/// The gradient of one operand of a contraction: the contraction of dy with the
/// other operand, e.g. for "ac,bc->ab": da = "ab,bc->ac"(dy, b). A letter that
/// occurs in the wanted operand alone was summed over: its gradient is repeated
/// along it. Operands of 16 bits contract with a dy of 16 bits.
static Value operandGradient(OpBuilder &builder, Location loc, Value dy,
                             StringRef dyLetters, Value other,
                             StringRef otherLetters, Value wanted,
                             StringRef letters) {
  auto type = cast<RankedTensorType>(wanted.getType());
  auto dyType = cast<RankedTensorType>(dy.getType());
  Type otherElement = cast<RankedTensorType>(other.getType()).getElementType();
  if (dyType.getElementType() != otherElement)
    dy = CastOp::create(builder, loc, dyType.clone(otherElement), dy);

  std::string known;
  SmallVector<int64_t> dims, shape;
  for (auto [dim, letter] : llvm::enumerate(letters)) {
    if (!dyLetters.contains(letter) && !otherLetters.contains(letter))
      continue;
    known += letter;
    dims.push_back(dim);
    shape.push_back(type.getDimSize(dim));
  }
  std::string equation = (dyLetters + "," + otherLetters + "->" + known).str();
  Value gradient =
      MatmulOp::create(builder, loc, type.clone(shape), equation, dy, other);
  if (static_cast<int64_t>(dims.size()) == type.getRank())
    return gradient;
  return BroadcastOp::create(builder, loc, type, gradient, dims);
}

void MatmulOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                             Grads &grads) {
  auto [operands, result] = getEquation().split("->");
  auto [lhs, rhs] = operands.split(",");
  grads.push_back(operandGradient(builder, getLoc(), dy[0], result, getRhs(),
                                  rhs, getLhs(), lhs));
  grads.push_back(operandGradient(builder, getLoc(), dy[0], result, getLhs(),
                                  lhs, getRhs(), rhs));
}

//===----------------------------------------------------------------------===//
// Lookups
//===----------------------------------------------------------------------===//

void EmbeddingOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                                Grads &grads) {
  Value table = EmbeddingGradOp::create(builder, getLoc(), getTable().getType(),
                                        getIds(), dy[0], getFirstRowAttr());
  grads.append({table, Value()});
}

void PickOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                           Grads &grads) {
  Value row = PickGradOp::create(builder, getLoc(), getOperand().getType(),
                                 getIds(), dy[0], getFirstAttr());
  grads.append({row, Value()});
}

//===----------------------------------------------------------------------===//
// Layer norm and attention
//===----------------------------------------------------------------------===//

void LayerNormOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                                Grads &grads) {
  if (!dy[0]) {
    grads.append(3, Value());
    return;
  }
  auto backward =
      LayerNormGradOp::create(builder, getLoc(), getOperand().getType(),
                              getGamma().getType(), getBeta().getType(), dy[0],
                              getOperand(), getMean(), getRstd(), getGamma());
  grads.append(backward->result_begin(), backward->result_end());
}

void AttentionOp::buildBackward(OpBuilder &builder, ArrayRef<Value> dy,
                                Grads &grads) {
  if (!dy[0]) {
    grads.append(getNumOperands(), Value());
    return;
  }
  auto backward = AttentionGradOp::create(
      builder, getLoc(), getQ().getType(), getK().getType(), getV().getType(),
      getQ(), getK(), getV(), getResult(), getLse(), dy[0], getDocumentStart(),
      getScaleAttr(), getCausalAttr(), getProbabilityAttr(), getStreamAttr(),
      getLayerAttr(), getFirstSampleAttr(), getNumSamplesAttr(),
      getFirstHeadAttr(), getNumHeadsAttr());
  grads.append(backward->result_begin(), backward->result_end());
  if (getDocumentStart())
    grads.push_back(Value());
}
