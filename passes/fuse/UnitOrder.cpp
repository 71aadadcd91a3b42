// A legal order of the ops of a block while they merge into units.
#include "passes/fuse/UnitOrder.h"

#include "dialects/dfg/DfgDialect.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

/// Names the state that `op` reads or writes besides its operands; empty when
/// there is none. Ops on one state keep their order.
static std::string getState(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::string>(op)
      .Case([](WeightOp) { return ""; }) // constant during a program
      .Case([](AccumulateGradOp grad) {
        return ("gradient " + grad.getParameter()).str();
      })
      .Case<MetricOp, MetricReadOp, MetricWriteOp>(
          [](auto metric) { return ("metric " + metric.getName()).str(); })
      .Case<BucketReadOp, BucketWriteOp>([](auto field) {
        return ("bucket " + field.getBucket() + " " + field.getField()).str();
      })
      .Default([](Operation *op) {
        return isMemoryEffectFree(op) ? "" : "messages";
      });
}

UnitOrder::UnitOrder(Block &block) {
  llvm::StringMap<Operation *> lastOnState;
  unsigned segments = 0;
  for (Operation &op : block) {
    Unit unit = ops.size();
    ops.push_back({&op});
    position.push_back(unit);
    segment.push_back(segments);
    sequence.push_back(unit);
    unitOf[&op] = index[&op] = unit;
    segments += isa<BeginBackwardOp>(op);
    if (std::string state = getState(&op); !state.empty()) {
      Operation *&last = lastOnState[state];
      if (last)
        nextOnState[last] = &op;
      last = &op;
    }
  }
}

llvm::DenseSet<UnitOrder::Unit> UnitOrder::dependents(Unit first,
                                                      Unit last) const {
  llvm::DenseSet<Unit> found;
  SmallVector<Unit> pending{first};
  auto visit = [&](Unit from, Operation *user) {
    auto to = unitOf.find(user);
    if (to == unitOf.end() || to->second == first ||
        (from == first && to->second == last) ||
        position[to->second] > position[last])
      return;
    if (found.insert(to->second).second)
      pending.push_back(to->second);
  };
  while (!pending.empty()) {
    Unit unit = pending.pop_back_val();
    for (Operation *op : ops[unit]) {
      for (Operation *user : op->getUsers())
        visit(unit, user);
      if (Operation *next = nextOnState.lookup(op))
        visit(unit, next);
    }
  }
  return found;
}

bool UnitOrder::canMerge(Unit a, Unit b) const {
  if (segment[a] != segment[b])
    return false;
  if (position[a] > position[b])
    std::swap(a, b);
  return !dependents(a, b).contains(b);
}

UnitOrder::Unit UnitOrder::merge(Unit a, Unit b) {
  if (position[a] > position[b])
    std::swap(a, b);
  llvm::DenseSet<Unit> waiting = dependents(a, b);
  unsigned begin = position[a], end = position[b] + 1;
  SmallVector<Unit> between(sequence.begin() + begin + 1,
                            sequence.begin() + end - 1);
  auto middle =
      std::stable_partition(between.begin(), between.end(),
                            [&](Unit unit) { return !waiting.contains(unit); });
  auto next = std::copy(between.begin(), middle, sequence.begin() + begin);
  *next++ = a;
  *next++ = b; // empty from now on
  std::copy(middle, between.end(), next);
  for (unsigned i = begin; i < end; ++i)
    position[sequence[i]] = i;

  SmallVector<Operation *> merged;
  std::merge(ops[a].begin(), ops[a].end(), ops[b].begin(), ops[b].end(),
             std::back_inserter(merged), [&](Operation *x, Operation *y) {
               return index.lookup(x) < index.lookup(y);
             });
  for (Operation *op : ops[b])
    unitOf[op] = a;
  ops[a] = std::move(merged);
  ops[b].clear();
  return a;
}
