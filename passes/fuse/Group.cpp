// Fusable ops that share one iteration space.
#include "passes/fuse/Group.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

static SpaceDims firstDims(int64_t count) {
  return llvm::to_vector<4>(llvm::seq<int64_t>(0, count));
}

std::optional<Group> Group::get(Operation *op) {
  if (!op->hasTrait<Fusable>())
    return std::nullopt;
  Group group;
  auto isWholeSpace = [&](Value value) { group.shape.assign(shapeOf(value)); };
  auto lies = [&](Value value, SpaceDims dims) { group.dims[value] = dims; };
  bool fits =
      llvm::TypeSwitch<Operation *, bool>(op)
          .Case([&](BroadcastOp broadcast) {
            isWholeSpace(broadcast.getResult());
            lies(broadcast.getOperand(), SpaceDims(broadcast.getDims()));
            return true;
          })
          .Case([&](ReduceOp reduce) {
            isWholeSpace(reduce.getOperand());
            group.usesColumns = true;
            int64_t last = group.shape.size() - 1;
            return reduce.getDims() == ArrayRef<int64_t>{last};
          })
          .Case([&](PartialSumOp sum) {
            // Its result leaves the space; as seen from there it has no rows.
            isWholeSpace(sum.getOperand());
            group.usesColumns = true;
            lies(sum.getResult(),
                 {static_cast<int64_t>(group.shape.size()) - 1});
            return group.shape.size() > 1;
          })
          .Case([&](PickOp pick) {
            isWholeSpace(pick.getOperand());
            group.usesColumns = true;
            return true;
          })
          .Case([&](PickGradOp pick) {
            isWholeSpace(pick.getResult());
            group.usesColumns = true;
            return true;
          })
          .Default([&](Operation *op) {
            isWholeSpace(op->getResult(0));
            group.usesColumns = isa<DropoutOp>(op); // counts rows by position
            return true;
          });
  if (!fits)
    return std::nullopt;
  // What has not been placed is the whole space, or a number per row.
  for (Value value : op->getOperands())
    group.dims.insert({value, firstDims(shapeOf(value).size())});
  for (Value value : op->getResults()) {
    group.dims.insert({value, firstDims(shapeOf(value).size())});
    group.results.push_back(value);
  }
  return group;
}

bool Group::coversRows(ArrayRef<int64_t> dims) const {
  for (int64_t dim = 0; dim + 1 < static_cast<int64_t>(shape.size()); ++dim)
    if (shape[dim] != 1 && !llvm::is_contained(dims, dim))
      return false;
  return true;
}

bool Group::canWrite(ArrayRef<int64_t> dims) const {
  // Without row reductions, the elements of a single row are split as well.
  bool splitsRow = shape.size() == 1 && !usesColumns;
  return coversRows(dims) && !(splitsRow && dims.empty());
}

/// `inner` as seen in the space `outer`, whose dimension `to[i]` is dimension
/// i of inner.
static std::optional<Group> embed(const Group &inner, const Group &outer,
                                  ArrayRef<int64_t> to) {
  bool moved = to.size() != outer.shape.size();
  if (moved && inner.usesColumns)
    return std::nullopt;
  Group moving = inner;
  moving.shape = outer.shape;
  for (auto &[value, dims] : moving.dims)
    for (int64_t &dim : dims)
      dim = to[dim];
  return moving;
}

/// True when every use of `value` is by an op that defines one of `results`.
static bool isUsedOnlyBy(Value value, const llvm::DenseSet<Value> &results) {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    return user->getNumResults() && results.contains(user->getResult(0));
  });
}

std::optional<Group> orrery::passes::merge(const Group &a, const Group &b,
                                           Value shared) {
  const SpaceDims &inA = a.dims.find(shared)->second;
  const SpaceDims &inB = b.dims.find(shared)->second;
  std::optional<Group> merged, moved;
  if (a.shape == b.shape && inA == inB) {
    merged = a;
    moved = b;
  } else if (inA.size() == a.shape.size()) {
    merged = b;
    moved = embed(a, b, inB);
  } else if (inB.size() == b.shape.size()) {
    merged = a;
    moved = embed(b, a, inA);
  }
  if (!moved)
    return std::nullopt;
  // What reads sums over rows has to wait for all rows.
  if (shared.getDefiningOp<PartialSumOp>())
    return std::nullopt;

  for (auto &[value, dims] : moved->dims)
    if (merged->dims.insert({value, dims}).first->second != dims)
      return std::nullopt;
  merged->usesColumns |= moved->usesColumns;
  merged->results.append(moved->results);

  llvm::DenseSet<Value> results(merged->results.begin(), merged->results.end());
  for (Value value : merged->results)
    if (!value.getDefiningOp<PartialSumOp>() &&
        !merged->canWrite(merged->dims.find(value)->second) &&
        !isUsedOnlyBy(value, results))
      return std::nullopt;
  return merged;
}
