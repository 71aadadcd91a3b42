// Reverse-mode differentiation of one function.
#include "passes/differentiate/Backward.h"

using namespace mlir;
using namespace orrery::dfg;

namespace {
/// Gives new ops the layer of the op that is being differentiated.
struct LayerTagger : OpBuilder::Listener {
  void notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) override {
    if (layer)
      op->setAttr(kLayerAttr, layer);
  }
  Attribute layer;
};

/// Walks a block backwards; holds the gradient of every value met so far.
class ReverseWalk {
public:
  explicit ReverseWalk(Operation *terminator) : builder(terminator) {
    builder.setListener(&tagger);
  }

  BeginBackwardOp begin(MetricOp objective);
  LogicalResult run(ArrayRef<Operation *> forward);

private:
  LogicalResult visit(Operation *op);
  void visitOperands(Operation *op, ArrayRef<Value> operandGrads);
  /// The finished gradient of `value`; null when none arrived.
  Value finish(Value value);
  void contribute(Value value, Value grad);
  /// One concat of the gradients of `slices` when they cover `value`.
  Value joinSlices(Value value, ArrayRef<SliceOp> slices);
  void findActive(ArrayRef<Operation *> forward);

  OpBuilder builder;
  LayerTagger tagger;
  DenseSet<Value> active; // depends on a weight
  DenseMap<Value, Value> grads;
  DenseMap<Value, SmallVector<SliceOp>> slices; // not yet in grads
};
} // namespace

BeginBackwardOp ReverseWalk::begin(MetricOp objective) {
  Location loc = objective.getLoc();
  tagger.layer = objective->getAttr(kLayerAttr);
  auto begin = BeginBackwardOp::create(builder, loc);
  Value seed = ScalarOp::create(builder, loc, objective.getValue().getType(),
                                "loss_seed");
  grads[objective.getValue()] = seed;
  return begin;
}

void ReverseWalk::findActive(ArrayRef<Operation *> forward) {
  for (Operation *op : forward)
    if (isa<WeightOp>(op) || llvm::any_of(op->getOperands(), [&](Value v) {
          return active.contains(v);
        }))
      active.insert_range(op->getResults());
}

LogicalResult ReverseWalk::run(ArrayRef<Operation *> forward) {
  findActive(forward);
  for (Operation *op : llvm::reverse(forward))
    if (failed(visit(op)))
      return failure();
  return success();
}

void ReverseWalk::contribute(Value value, Value grad) {
  if (!grad || !active.contains(value))
    return;
  Value &sum = grads[value];
  sum =
      sum ? AddOp::create(builder, grad.getLoc(), sum, grad).getResult() : grad;
}

void ReverseWalk::visitOperands(Operation *op, ArrayRef<Value> operandGrads) {
  for (auto [operand, grad] : llvm::zip(op->getOperands(), operandGrads))
    contribute(operand, grad);
}

Value ReverseWalk::joinSlices(Value value, ArrayRef<SliceOp> parts) {
  SmallVector<SliceOp> sorted(parts);
  llvm::sort(sorted,
             [](SliceOp a, SliceOp b) { return a.getStart() < b.getStart(); });
  uint64_t dim = sorted.front().getDim(), end = 0;
  SmallVector<Value> pieces;
  for (SliceOp part : sorted) {
    if (part.getDim() != dim || part.getStart() != end)
      return {};
    end += part.getSize();
    pieces.push_back(grads.lookup(part.getResult()));
  }
  if (end != uint64_t(cast<RankedTensorType>(value.getType()).getDimSize(dim)))
    return {};
  return ConcatOp::create(builder, sorted.front().getLoc(), value.getType(),
                          pieces, dim);
}

Value ReverseWalk::finish(Value value) {
  auto pending = slices.find(value);
  if (pending == slices.end())
    return grads.lookup(value);
  SmallVector<SliceOp> parts = std::move(pending->second);
  slices.erase(pending);
  tagger.layer = parts.front()->getAttr(kLayerAttr);
  if (Value joined = joinSlices(value, parts)) {
    contribute(value, joined);
    return grads.lookup(value);
  }
  for (SliceOp part : parts) {
    SmallVector<Value> operandGrads;
    part.buildBackward(builder, grads.lookup(part.getResult()), operandGrads);
    visitOperands(part, operandGrads);
  }
  return grads.lookup(value);
}

LogicalResult ReverseWalk::visit(Operation *op) {
  SmallVector<Value> resultGrads;
  for (Value result : op->getResults())
    resultGrads.push_back(finish(result));
  if (llvm::none_of(resultGrads, [](Value grad) { return bool(grad); }))
    return success();
  tagger.layer = op->getAttr(kLayerAttr);
  if (auto weight = dyn_cast<WeightOp>(op)) {
    AccumulateGradOp::create(builder, op->getLoc(), weight.getParameterAttr(),
                             resultGrads[0]);
    return success();
  }
  if (auto slice = dyn_cast<SliceOp>(op)) {
    if (active.contains(slice.getOperand()))
      slices[slice.getOperand()].push_back(slice);
    return success();
  }
  auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
  if (!differentiable)
    return op->emitOpError("lies between a weight and the objective, but has "
                           "no backward");
  SmallVector<Value> operandGrads;
  differentiable.buildBackward(builder, resultGrads, operandGrads);
  visitOperands(op, operandGrads);
  return success();
}

FailureOr<BeginBackwardOp> orrery::passes::appendBackward(func::FuncOp function,
                                                          MetricOp objective) {
  SmallVector<Operation *> forward;
  for (Operation &op : function.front().without_terminator())
    forward.push_back(&op);
  ReverseWalk walk(function.front().getTerminator());
  BeginBackwardOp begin = walk.begin(objective);
  if (failed(walk.run(forward)))
    return failure();
  return begin;
}

void orrery::passes::eraseDeadBackward(BeginBackwardOp begin) {
  Block *block = begin->getBlock();
  for (Operation *op = block->getTerminator()->getPrevNode(); op != begin;) {
    Operation *previous = op->getPrevNode();
    if (isOpTriviallyDead(op) || (isa<WeightOp>(op) && op->use_empty()))
      op->erase();
    op = previous;
  }
}
