// How a fused region is walked.
#include "passes/emit/kernel/KernelSpace.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

/// Places the values of `op` in the space when one of them tells how the op's
/// own space lies in it. Returns false when none does yet.
static bool placeValues(Operation *op, KernelSpace &space) {
  std::optional<Group> group = Group::get(op);
  if (!group)
    return false;
  std::optional<SpaceDims> to;
  if (group->shape.size() == space.shape.size())
    to = llvm::to_vector<4>(llvm::seq<int64_t>(0, space.shape.size()));
  else if (group->shape.empty())
    to = SpaceDims();
  for (auto &[value, dims] : group->dims)
    if (auto known = space.dims.find(value);
        !to && known != space.dims.end() && dims.size() == group->shape.size())
      to = known->second;
  if (!to)
    return false;
  for (auto &[value, dims] : group->dims)
    space.dims[value] =
        llvm::map_to_vector<4>(dims, [&](int64_t dim) { return (*to)[dim]; });
  return true;
}

/// Reductions end a walk; every other op continues the latest of its operands.
static void assignWalks(Block &body, KernelSpace &space) {
  for (Value argument : body.getArguments())
    space.walk[argument] = 0;
  for (Operation &op : body.without_terminator()) {
    int64_t walk = 0;
    for (Value operand : op.getOperands())
      walk = std::max(walk, space.walk.lookup(operand));
    for (Value result : op.getResults())
      space.walk[result] = walk + isa<ReduceOp>(op);
    if (auto reduce = dyn_cast<ReduceOp>(op))
      if (ReduceOp maximum = space.joinedMaxima.lookup(reduce))
        space.walk[reduce.getResult()] = space.walk.lookup(maximum.getResult());
    space.numWalks = std::max(space.numWalks, walk + 1);
  }
}

/// True when no op needs to know the row or the column of an element.
static bool isFlat(Block &body, const KernelSpace &space) {
  for (Operation &op : body.without_terminator())
    if (Group::get(&op)->usesColumns)
      return false;
  for (Value output : body.getTerminator()->getOperands())
    if (!space.isFull(output))
      return false;
  return !space.shape.empty() &&
         llvm::all_of(space.dims, [&](const auto &entry) {
           return entry.second.empty() || space.isFull(entry.first);
         });
}

FailureOr<KernelSpace> KernelSpace::get(FusedOp fused) {
  KernelSpace space;
  space.shape.assign(fused.getShape());
  Block &body = fused.getBody().front();
  llvm::SetVector<Operation *> open;
  for (Operation &op : body.without_terminator())
    open.insert(&op);
  while (open.remove_if([&](Operation *op) { return placeValues(op, space); }))
    ;
  if (!open.empty())
    return open.front()->emitOpError(
        "has no known place in the iteration space of its fused region");

  for (auto sum : body.getOps<PartialSumOp>()) {
    int64_t parts = sum.getType().getDimSize(0);
    if (space.parts && space.parts != parts)
      return sum.emitOpError()
             << "has " << parts << " rows, another sum of the "
             << "fused region has " << space.parts;
    space.parts = parts;
  }
  assignWalks(body, space);
  space.flat = isFlat(body, space);
  int64_t last = space.shape.size() - 1;
  for (auto [dim, size] : llvm::enumerate(space.shape))
    (static_cast<int64_t>(dim) < last && !space.flat ? space.rows
                                                     : space.columns) *= size;
  if (space.flat)
    std::swap(space.rows, space.columns);
  return space;
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// True when both are computed alike from the same values.
static bool isSame(Value a, Value b) {
  if (a == b)
    return true;
  Operation *left = a.getDefiningOp(), *right = b.getDefiningOp();
  return left && right && left->getName() == right->getName() &&
         left->getAttrDictionary() == right->getAttrDictionary() &&
         llvm::all_of_zip(left->getOperands(), right->getOperands(), isSame);
}

/// The maximum m of x, when `sum` is that of exp(x - m) in f32.
static ReduceOp findMaximum(ReduceOp sum) {
  if (sum.getKind() != Reduction::Sum ||
      !getElementTypeOrSelf(sum.getType()).isF32())
    return {};
  auto exp = sum.getOperand().getDefiningOp<ExpOp>();
  auto difference = exp ? exp->getOperand(0).getDefiningOp<SubOp>() : SubOp();
  auto spread = difference
                    ? difference->getOperand(1).getDefiningOp<BroadcastOp>()
                    : BroadcastOp();
  auto maximum =
      spread ? spread.getOperand().getDefiningOp<ReduceOp>() : ReduceOp();
  if (!maximum || maximum.getKind() != Reduction::Max ||
      !isSame(maximum.getOperand(), difference->getOperand(0)))
    return {};
  return maximum;
}

void KernelSpace::joinSoftmax(FusedOp fused) {
  Block &body = fused.getBody().front();
  llvm::DenseSet<Operation *> taken;
  for (auto sum : body.getOps<ReduceOp>())
    if (ReduceOp maximum = findMaximum(sum);
        maximum && taken.insert(maximum).second)
      joinedMaxima[sum] = maximum;
  assignWalks(body, *this);
}
