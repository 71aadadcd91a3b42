// Decides which forward values are kept for the backward.
//
// Each forward value is two nodes with an edge whose capacity is the cost of
// keeping it; an op that can be computed again leads from its operands to its
// results, one that cannot is fed by the source; what the backward reads leads
// to the sink. The edges of the minimum cut are the values to keep:
//
//   source ─∞→ [x w ──4h──] ─∞→ [+ b ──4h──] ─∞→ sink   keeps x w or x w + b
#include "passes/differentiate/Stash.h"

#include "passes/differentiate/MinCut.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

namespace {
class StashSolver {
public:
  StashSolver(BeginBackwardOp begin, const StashOptions &options);
  Stash solve();

private:
  struct Nodes {
    unsigned in, out;
  };
  bool inBackward(Operation *op) const {
    return op->getBlock() == begin->getBlock() && begin->isBeforeInBlock(op);
  }
  bool isReadByBackward(Value value) const {
    return llvm::any_of(value.getUsers(),
                        [&](Operation *user) { return inBackward(user); });
  }
  int64_t layerOf(Operation *op) const;
  /// Ops of one unit may be recomputed together: a layer or a group of layers.
  int64_t unitOf(Operation *op) const;
  bool isInGroup(Operation *op) const;
  bool leavesUnit(Operation *op) const;
  bool isRecomputable(Operation *op) const;
  /// True when the forward would write `value` only to keep it.
  bool livesInKernel(Value value) const;
  /// True when a forward user of `value` waits for an op outside of kernels
  /// that reads `value` too: the kernel that computes it must write it.
  bool isReadByTwoKernels(Value value) const;
  /// True when the forward writes `op`'s result and an op of the backward
  /// outside of kernels reads it: computing it again is a pass over memory.
  bool isWrittenForOperand(Operation *op) const;
  /// True for x w + b where the product can write it beside its gelu.
  bool isWrittenByProduct(Value value) const;
  SmallVector<Operation *> forwardUsers(Value value) const;
  /// Bytes, and an eighth more for the write that it would not need.
  int64_t cost(Value value) const;
  Nodes addValue(Value value);
  StringRef reason(Value value, bool keep) const;

  BeginBackwardOp begin;
  StashOptions options;
  int64_t numLayers = 0;
  MinCut graph;
  DenseMap<Value, Nodes> nodes;
};
} // namespace

/// Reading a weight or a scalar again costs nothing.
static bool isFree(Operation *op) {
  return isa<WeightOp, ConstantOp, ScalarOp>(op);
}

/// Another way to read the memory of the operand.
static bool isView(Operation *op) { return isa<ReshapeOp, SliceOp>(op); }

static bool isCheap(Operation *op) {
  if (isView(op) || isa<TransposeOp>(op))
    return true;
  return op->hasTrait<Fusable>() && !isa<ReduceOp, PickOp, PickGradOp>(op);
}

static int64_t bytesOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getNumElements() *
         llvm::divideCeil(type.getElementTypeBitWidth(), 8);
}

StashSolver::StashSolver(BeginBackwardOp begin, const StashOptions &options)
    : begin(begin), options(options) {
  for (Operation &op : *begin->getBlock())
    numLayers = std::max(numLayers, layerOf(&op));
}

int64_t StashSolver::layerOf(Operation *op) const {
  auto layer = op->getAttrOfType<IntegerAttr>(kLayerAttr);
  return layer ? layer.getInt() : -1;
}

bool StashSolver::isInGroup(Operation *op) const {
  int64_t layer = layerOf(op);
  return options.recomputeLayers > 0 && layer >= 0 && layer < numLayers;
}

int64_t StashSolver::unitOf(Operation *op) const {
  int64_t layer = layerOf(op);
  int64_t group = options.recomputeLayers;
  return isInGroup(op) ? layer / group * group : layer;
}

bool StashSolver::leavesUnit(Operation *op) const {
  return llvm::any_of(op->getUsers(), [&](Operation *user) {
    return !inBackward(user) && unitOf(user) != unitOf(op);
  });
}

bool StashSolver::isRecomputable(Operation *op) const {
  if (isFree(op))
    return true;
  return isPure(op) && (isCheap(op) || isInGroup(op)) && !leavesUnit(op) &&
         (isInGroup(op) || !options.keepOperands || !isWrittenForOperand(op));
}

bool StashSolver::isWrittenForOperand(Operation *op) const {
  return !isView(op) && llvm::any_of(op->getResults(), [&](Value result) {
    return !livesInKernel(result) &&
           llvm::any_of(result.getUsers(), [&](Operation *user) {
             return inBackward(user) && !user->hasTrait<Fusable>();
           });
  });
}

SmallVector<Operation *> StashSolver::forwardUsers(Value value) const {
  SmallVector<Operation *> users;
  for (Operation *user : value.getUsers())
    if (!inBackward(user) && !llvm::is_contained(users, user))
      users.push_back(user);
  return users;
}

bool StashSolver::isReadByTwoKernels(Value value) const {
  SmallVector<Operation *> users = forwardUsers(value);
  if (users.size() < 2)
    return false;
  Operation *last = *llvm::max_element(
      users, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  // What depends on the value, and what does so through an op of its own.
  llvm::SmallPtrSet<Operation *, 16> depends = {value.getDefiningOp()}, behind;
  for (Operation *op = value.getDefiningOp()->getNextNode();;
       op = op->getNextNode()) {
    auto reads = [&](const llvm::SmallPtrSetImpl<Operation *> &set) {
      return llvm::any_of(op->getOperands(), [&](Value operand) {
        return set.contains(operand.getDefiningOp());
      });
    };
    bool waits = reads(behind);
    if (waits && llvm::is_contained(users, op))
      return true;
    if (op == last)
      return false;
    if (waits || (reads(depends) && !op->hasTrait<Fusable>()))
      behind.insert(op);
    else if (reads(depends))
      depends.insert(op);
  }
}

bool StashSolver::isWrittenByProduct(Value value) const {
  auto sum = value.getDefiningOp<AddOp>();
  if (!options.productEpilogues || !sum)
    return false;
  SmallVector<Operation *> users = forwardUsers(value);
  auto gelu = users.size() == 1 ? dyn_cast<GeluOp>(users.front()) : GeluOp();
  auto isProduct = [&](Value a, Value b) {
    return a.getDefiningOp<MatmulOp>() && b.getDefiningOp<BroadcastOp>() &&
           forwardUsers(a).size() == 1;
  };
  return gelu && gelu.getForm() == GeluForm::Tanh &&
         (isProduct(sum.getLhs(), sum.getRhs()) ||
          isProduct(sum.getRhs(), sum.getLhs()));
}

bool StashSolver::livesInKernel(Value value) const {
  return value.getDefiningOp()->hasTrait<Fusable>() &&
         llvm::all_of(value.getUsers(),
                      [&](Operation *user) {
                        return inBackward(user) || user->hasTrait<Fusable>();
                      }) &&
         !isReadByTwoKernels(value) && !isWrittenByProduct(value);
}

int64_t StashSolver::cost(Value value) const {
  return bytesOf(value) * (livesInKernel(value) ? 9 : 8);
}

StashSolver::Nodes StashSolver::addValue(Value value) {
  auto [it, inserted] = nodes.try_emplace(value);
  if (!inserted)
    return it->second;
  Nodes pair = {graph.addNode(), graph.addNode()};
  it->second = pair;
  Operation *op = value.getDefiningOp();
  // Free values have no way from the source: keeping them never pays.
  if (!op || isFree(op))
    return pair;
  bool recomputable = isRecomputable(op);
  graph.addEdge(pair.in, pair.out,
                recomputable && isView(op) ? MinCut::kInfinite : cost(value));
  if (!recomputable)
    graph.addEdge(MinCut::kSource, pair.in, MinCut::kInfinite);
  else
    for (Value operand : op->getOperands())
      graph.addEdge(addValue(operand).out, pair.in, MinCut::kInfinite);
  return pair;
}

StringRef StashSolver::reason(Value value, bool keep) const {
  Operation *op = value.getDefiningOp();
  if (isFree(op))
    return "read again";
  if (!keep)
    return isView(op)    ? "a view"
           : isCheap(op) ? "cheaper to compute again than to keep"
                         : "inside a group of recomputed layers";
  if (isRecomputable(op))
    return "its inputs would be larger";
  if (leavesUnit(op))
    return "passed to the next layer";
  if (isCheap(op))
    return "read by a product";
  return "costly to compute again";
}

Stash StashSolver::solve() {
  SmallVector<Value> needed;
  for (Operation *op = &begin->getBlock()->front(); op != begin;
       op = op->getNextNode())
    for (Value result : op->getResults())
      if (isReadByBackward(result))
        needed.push_back(result);
  for (Value value : needed)
    graph.addEdge(addValue(value).out, MinCut::kSink, MinCut::kInfinite);
  llvm::BitVector sinkSide = graph.solve();

  Stash stash;
  auto isKept = [&](Value value) {
    auto it = nodes.find(value);
    return it != nodes.end() && value.getDefiningOp() &&
           !isFree(value.getDefiningOp()) && !sinkSide.test(it->second.in) &&
           sinkSide.test(it->second.out);
  };
  // Values that only recomputation reads are kept as well when cut.
  for (Operation *op = &begin->getBlock()->front(); op != begin;
       op = op->getNextNode())
    for (Value value : op->getResults()) {
      bool keep = isKept(value);
      if (keep || isReadByBackward(value))
        stash[value] = {keep, bytesOf(value), reason(value, keep)};
    }
  return stash;
}

Stash orrery::passes::chooseStash(BeginBackwardOp begin,
                                  const StashOptions &options) {
  return StashSolver(begin, options).solve();
}
