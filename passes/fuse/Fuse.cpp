// dfg-fuse: groups fusable ops of one iteration space into kernels.
#include "passes/fuse/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "passes/fuse/Group.h"
#include "passes/fuse/UnitOrder.h"
#include "llvm/ADT/SetVector.h"

namespace orrery::passes {
#define GEN_PASS_DEF_DFGFUSE
#include "passes/fuse/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

static unsigned widthOf(Value value) {
  return getElementTypeOrSelf(value).getIntOrFloatBitWidth();
}

//===----------------------------------------------------------------------===//
// Copies of what is cheaper to compute than to store
//===----------------------------------------------------------------------===//

/// True for ops that read less memory than their result would fill.
static bool isCheap(Operation *op) {
  if (isa<ConstantOp, BroadcastOp>(op))
    return true;
  auto widening = dyn_cast<CastOp>(op);
  return widening &&
         widthOf(widening.getOperand()) < widthOf(widening.getResult());
}

/// Gives every user of a cheap op a copy of its own, directly before it.
static void copyCheapOps(Block &block) {
  // Backwards, so that the operands of copies are copied too.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (isOpTriviallyDead(&op)) {
      op.erase();
      continue;
    }
    if (!isCheap(&op))
      continue;
    llvm::SetVector<Operation *> users(op.user_begin(), op.user_end());
    for (Operation *user : llvm::drop_begin(users)) {
      OpBuilder builder(user);
      Operation *copy = builder.clone(op);
      op.getResult(0).replaceUsesWithIf(
          copy->getResult(0),
          [&](OpOperand &use) { return use.getOwner() == user; });
    }
    op.moveBefore(users.front());
  }
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

/// Accumulates what a gradient was before it was rounded to fewer bits.
static void accumulateUnrounded(Block &block) {
  for (auto grad : block.getOps<AccumulateGradOp>())
    if (auto cast = grad.getGrad().getDefiningOp<CastOp>())
      if (widthOf(cast.getOperand()) > widthOf(cast.getResult()))
        grad.getGradMutable().assign(cast.getOperand());
}

//===----------------------------------------------------------------------===//
// Grouping
//===----------------------------------------------------------------------===//

namespace {

/// Grows groups over the ops of a block.
class Grouping {
public:
  explicit Grouping(Block &block) : order(block) {
    for (Operation &op : block)
      if (std::optional<Group> group = Group::get(&op))
        groups.insert({order.getUnit(&op), *group});
  }

  /// Merges each op with the groups of its producers, then each group with
  /// those that read the same rows.
  void run(Block &block) {
    for (Operation &op : block)
      for (Value operand : op.getOperands())
        if (Operation *producer = operand.getDefiningOp())
          tryMerge(producer, &op, operand);
    for (Operation &op : block)
      for (Value operand : op.getOperands())
        for (Operation *other : operand.getUsers())
          if (readsAllRows(&op, operand))
            tryMerge(other, &op, operand);
  }

  /// Replaces each group by a `dfg.fused` and puts the block in order.
  void build(Block &block);

private:
  bool readsAllRows(Operation *op, Value operand) {
    auto found = groups.find(order.getUnit(op));
    if (found == groups.end())
      return false;
    const Group &group = found->second;
    const SpaceDims &dims = group.dims.find(operand)->second;
    return !dims.empty() && group.coversRows(dims);
  }

  void tryMerge(Operation *a, Operation *b, Value shared) {
    if (a->getBlock() != b->getBlock())
      return;
    UnitOrder::Unit unitA = order.getUnit(a), unitB = order.getUnit(b);
    auto groupA = groups.find(unitA), groupB = groups.find(unitB);
    if (unitA == unitB || groupA == groups.end() || groupB == groups.end())
      return;
    std::optional<Group> merged = merge(groupA->second, groupB->second, shared);
    if (!merged || !order.canMerge(unitA, unitB))
      return;
    groups.erase(unitA);
    groups.erase(unitB);
    groups.insert({order.merge(unitA, unitB), *merged});
  }

  UnitOrder order;
  llvm::DenseMap<UnitOrder::Unit, Group> groups;
};

} // namespace

/// Moves `ops` into a new `dfg.fused` at the builder's position.
static void makeFused(OpBuilder &builder, ArrayRef<Operation *> ops,
                      ArrayRef<int64_t> shape) {
  llvm::SmallPtrSet<Operation *, 16> members(ops.begin(), ops.end());
  llvm::SetVector<Value> inputs;
  SmallVector<Value> outputs;
  for (Operation *op : ops) {
    for (Value operand : op->getOperands())
      if (!members.contains(operand.getDefiningOp()))
        inputs.insert(operand);
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            return !members.contains(user);
          }))
        outputs.push_back(result);
  }
  auto fused = FusedOp::create(builder, ops.back()->getLoc(),
                               ValueRange(outputs).getTypes(),
                               inputs.getArrayRef(), shape);
  if (Attribute layer = ops.back()->getAttr(kLayerAttr))
    fused->setAttr(kLayerAttr, layer);

  Block &body = fused.getBody().emplaceBlock();
  IRMapping map;
  for (Value input : inputs)
    map.map(input, body.addArgument(input.getType(), input.getLoc()));
  OpBuilder inside = OpBuilder::atBlockEnd(&body);
  for (Operation *op : ops)
    inside.clone(*op, map)->setDiscardableAttrs(
        DictionaryAttr::get(op->getContext()));
  YieldOp::create(inside, fused.getLoc(),
                  llvm::map_to_vector(
                      outputs, [&](Value value) { return map.lookup(value); }));
  for (auto [output, result] : llvm::zip(outputs, fused.getOutputs()))
    output.replaceUsesWithIf(result, [&](OpOperand &use) {
      return !members.contains(use.getOwner());
    });
}

void Grouping::build(Block &block) {
  for (UnitOrder::Unit unit : order.getSequence())
    for (Operation *op : order.getOps(unit))
      op->moveBefore(&block, block.end());
  for (UnitOrder::Unit unit : order.getSequence()) {
    auto group = groups.find(unit);
    if (group == groups.end())
      continue;
    ArrayRef<Operation *> ops = order.getOps(unit);
    OpBuilder builder(ops.back());
    makeFused(builder, ops, group->second.shape);
    for (Operation *op : llvm::reverse(ops))
      op->erase();
  }
}

namespace {
struct DfgFuse : public orrery::passes::impl::DfgFuseBase<DfgFuse> {
  void runOnOperation() override {
    getOperation().walk([](func::FuncOp function) {
      for (Block &block : function.getBody()) {
        accumulateUnrounded(block);
        copyCheapOps(block);
        Grouping grouping(block);
        grouping.run(block);
        grouping.build(block);
      }
    });
  }
};
} // namespace
