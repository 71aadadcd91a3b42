// The factor rule of every op, and what changes when its shard moves.
#include "dialects/dfg/DfgDialect.h"

using namespace mlir;
using namespace orrery::dfg;

static ShardingRule elementwise(Operation *op, Linearity linearity) {
  return ShardingRule::elementwise(op->getOperandTypes(), op->getResultTypes(),
                                   linearity);
}

static ShardingRule parseRule(Operation *op, const Twine &equation) {
  return ShardingRule::parse(equation.str(), op->getOperandTypes(),
                             op->getResultTypes());
}

static int64_t rankOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getRank();
}

/// "x0 x1 x2": names for `rank` leading dimensions.
static std::string names(StringRef prefix, int64_t rank) {
  std::string text;
  for (int64_t i = 0; i < rank; ++i)
    text += (prefix + Twine(i) + " ").str();
  return text;
}

/// Adds to `index` where the shard starts when a dimension of `size` is split
/// over `axes`, major to minor.
///   size 12 over tp = 2, then dp = 3: index + tp * 6 + dp * 2
static IndexAttr shardStart(IndexAttr index, const Axes &axes, MeshAttr mesh,
                            int64_t size) {
  int64_t stride = size;
  for (StringAttr axis : axes) {
    stride /= mesh.getSize(axis);
    index = index.plusTerm(axis, stride);
  }
  return index;
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

#define ELEMENTWISE_RULE(Op, linear)                                           \
  ShardingRule Op::getShardingRule() {                                         \
    return elementwise(*this, Linearity::linear);                              \
  }
ELEMENTWISE_RULE(AddOp, Together)
ELEMENTWISE_RULE(SubOp, Together)
ELEMENTWISE_RULE(MulOp, Each)
ELEMENTWISE_RULE(MaximumOp, None)
ELEMENTWISE_RULE(MinimumOp, None)
ELEMENTWISE_RULE(SelectOp, None)
ELEMENTWISE_RULE(ExpOp, None)
ELEMENTWISE_RULE(LogOp, None)
ELEMENTWISE_RULE(SqrtOp, None)
ELEMENTWISE_RULE(RsqrtOp, None)
ELEMENTWISE_RULE(GeluOp, None)
ELEMENTWISE_RULE(CastOp, Each)
ELEMENTWISE_RULE(ConstantOp, None)
ELEMENTWISE_RULE(DropoutOp, Each)
#undef ELEMENTWISE_RULE

ShardingRule DivOp::getShardingRule() {
  ShardingRule rule = elementwise(*this, Linearity::None);
  rule.linearity[0] = Linearity::Each;
  return rule;
}

ShardingRule GeluGradOp::getShardingRule() {
  ShardingRule rule = elementwise(*this, Linearity::None);
  rule.linearity[0] = Linearity::Each;
  return rule;
}

void DropoutOp::addShardOffsets(ArrayRef<Axes> factorAxes, MeshAttr mesh) {
  SmallVector<Attribute> offsets(getOffset().begin(), getOffset().end());
  for (auto [dim, axes] : llvm::enumerate(factorAxes))
    offsets[dim] = shardStart(cast<IndexAttr>(offsets[dim]), axes, mesh,
                              getOperand().getType().getDimSize(dim));
  setOffsetAttr(ArrayAttr::get(getContext(), offsets));
}

//===----------------------------------------------------------------------===//
// Shape
//===----------------------------------------------------------------------===//

ShardingRule BroadcastOp::getShardingRule() {
  ShardingRule rule = elementwise(*this, Linearity::Each);
  rule.operands[0].clear();
  for (int64_t dim : getDims())
    rule.operands[0].push_back(rule.results[0][dim]);
  return rule;
}

ShardingRule ReduceOp::getShardingRule() {
  auto type = cast<RankedTensorType>(getOperand().getType());
  ShardingRule rule = ShardingRule::elementwise(type, type, Linearity::Each);
  if (getKind() == Reduction::Max)
    rule.linearity[0] = Linearity::None;
  rule.results[0].clear();
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (llvm::is_contained(getDims(), dim))
      rule.factors[rule.operands[0][dim][0]].reduction = getKind();
    else
      rule.results[0].push_back(rule.operands[0][dim]);
  }
  return rule;
}

ShardingRule ReshapeOp::getShardingRule() {
  return ShardingRule::reshape(cast<RankedTensorType>(getOperand().getType()),
                               cast<RankedTensorType>(getResult().getType()));
}

ShardingRule TransposeOp::getShardingRule() {
  auto type = cast<RankedTensorType>(getOperand().getType());
  ShardingRule rule = ShardingRule::elementwise(type, type, Linearity::Each);
  for (auto [dim, from] : llvm::enumerate(getPerm()))
    rule.results[0][dim] = rule.operands[0][from];
  return rule;
}

ShardingRule SliceOp::getShardingRule() {
  auto type = cast<RankedTensorType>(getOperand().getType());
  ShardingRule rule = ShardingRule::elementwise(type, type, Linearity::Each);
  unsigned part = rule.factors.size();
  rule.factors[rule.operands[0][getDim()][0]].whole = true;
  rule.factors.push_back({static_cast<int64_t>(getSize()), /*whole=*/true});
  rule.results[0][getDim()] = {part};
  return rule;
}

ShardingRule ConcatOp::getShardingRule() {
  ShardingRule rule = elementwise(*this, Linearity::Together);
  rule.factors[getDim()].whole = true;
  for (auto [operand, dims] : llvm::zip(getOperands(), rule.operands)) {
    dims[getDim()] = {static_cast<unsigned>(rule.factors.size())};
    rule.factors.push_back(
        {cast<RankedTensorType>(operand.getType()).getDimSize(getDim()),
         /*whole=*/true});
  }
  return rule;
}

//===----------------------------------------------------------------------===//
// Model
//===----------------------------------------------------------------------===//

ShardingRule MatmulOp::getShardingRule() {
  // "sbi,oi->sbo" is the rule but for blanks.
  std::string spaced;
  for (char c : getEquation()) {
    spaced += c;
    if (isalpha(c))
      spaced += ' ';
  }
  ShardingRule rule = parseRule(*this, spaced);
  rule.linearity.assign(2, Linearity::Each);
  return rule;
}

int64_t MatmulOp::getFlops() {
  int64_t flops = 2;
  for (const Factor &factor : getShardingRule().factors)
    flops *= factor.size;
  return flops;
}

ShardingRule EmbeddingOp::getShardingRule() {
  std::string lead = names("i", rankOf(getIds()));
  ShardingRule rule = parseRule(*this, "v h, " + lead + "-> " + lead + "h");
  rule.linearity[0] = Linearity::Each;
  return rule;
}

ShardingRule EmbeddingGradOp::getShardingRule() {
  std::string lead = names("i", rankOf(getIds()));
  ShardingRule rule = parseRule(*this, lead + ", " + lead + "h -> v h");
  rule.linearity[1] = Linearity::Each;
  return rule;
}

ShardingRule PickOp::getShardingRule() {
  std::string lead = names("i", rankOf(getIds()));
  ShardingRule rule = parseRule(*this, lead + "v, " + lead + "-> " + lead);
  rule.linearity[0] = Linearity::Each;
  return rule;
}

ShardingRule PickGradOp::getShardingRule() {
  std::string lead = names("i", rankOf(getIds()));
  ShardingRule rule = parseRule(*this, lead + ", " + lead + "-> " + lead + "v");
  rule.linearity[1] = Linearity::Each;
  return rule;
}

void EmbeddingOp::addShardOffsets(ArrayRef<Axes> factorAxes, MeshAttr mesh) {
  setFirstRowAttr(shardStart(getFirstRow(), factorAxes[0], mesh,
                             getTable().getType().getDimSize(0)));
}

void EmbeddingGradOp::addShardOffsets(ArrayRef<Axes> factorAxes,
                                      MeshAttr mesh) {
  // Factors in order of occurrence: positions, then h, then v.
  setFirstRowAttr(shardStart(getFirstRow(), factorAxes.back(), mesh,
                             getResult().getType().getDimSize(0)));
}

void PickOp::addShardOffsets(ArrayRef<Axes> factorAxes, MeshAttr mesh) {
  setFirstAttr(shardStart(getFirst(), factorAxes.back(), mesh,
                          getOperand().getType().getShape().back()));
}

void PickGradOp::addShardOffsets(ArrayRef<Axes> factorAxes, MeshAttr mesh) {
  setFirstAttr(shardStart(getFirst(), factorAxes.back(), mesh,
                          getResult().getType().getShape().back()));
}

ShardingRule LayerNormOp::getShardingRule() {
  std::string lead = names("i", rankOf(getOperand()) - 1);
  return parseRule(*this, lead + "!h, !h, !h -> " + lead + "!h, " + lead +
                              ", " + lead);
}

ShardingRule LayerNormGradOp::getShardingRule() {
  std::string lead = names("i", rankOf(getOperand()) - 1);
  ShardingRule rule =
      parseRule(*this, lead + "!h, " + lead + "!h, " + lead + ", " + lead +
                           ", !h -> " + lead + "!h, !h, !h");
  rule.linearity[0] = Linearity::Each;
  return rule;
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// Factor 1 is the sample, factor 2 the head in both attention rules.
template <typename Op>
static void addAttentionOffsets(Op op, ArrayRef<Axes> factorAxes,
                                MeshAttr mesh) {
  ArrayRef<int64_t> q = op.getQ().getType().getShape(); // [s, b, n, d]
  op.setFirstSampleAttr(
      shardStart(op.getFirstSample(), factorAxes[1], mesh, q[1]));
  op.setFirstHeadAttr(shardStart(op.getFirstHead(), factorAxes[2], mesh, q[2]));
}

ShardingRule AttentionOp::getShardingRule() {
  StringRef documents = getDocumentStart() ? ", !s b" : "";
  return parseRule(*this, "!s b n !d, !s b n !d, !s b n !d" + documents +
                              " -> !s b n !d, b n !s");
}

void AttentionOp::addShardOffsets(ArrayRef<Axes> factorAxes, MeshAttr mesh) {
  addAttentionOffsets(*this, factorAxes, mesh);
}

/// Multiplications and additions of one s × s × d product per sample and head;
/// a causal mask halves it.
template <typename Op> static int64_t attentionProduct(Op op) {
  auto shape = cast<RankedTensorType>(op.getQ().getType()).getShape();
  int64_t flops = 2 * shape[0] * shape[0] * shape[1] * shape[2] * shape[3];
  return op.getCausal() ? flops / 2 : flops;
}

int64_t AttentionOp::getFlops() { return 2 * attentionProduct(*this); }
int64_t AttentionGradOp::getFlops() { return 5 * attentionProduct(*this); }

ShardingRule AttentionGradOp::getShardingRule() {
  StringRef documents = getDocumentStart() ? ", !s b" : "";
  ShardingRule rule = parseRule(
      *this, "!s b n !d, !s b n !d, !s b n !d, !s b n !d, b n !s, !s b n !d" +
                 documents + " -> !s b n !d, !s b n !d, !s b n !d");
  rule.linearity[5] = Linearity::Each;
  return rule;
}

void AttentionGradOp::addShardOffsets(ArrayRef<Axes> factorAxes,
                                      MeshAttr mesh) {
  addAttentionOffsets(*this, factorAxes, mesh);
}
