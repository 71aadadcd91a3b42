// Meaning of the collectives: all members' operands in, all results out.
#include "test/interpreter/Collectives.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::interpreter;

static ArrayAttr axesOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, ArrayAttr>(op)
      .Case<dfg::AllReduceOp, dfg::AllGatherOp, dfg::ReduceScatterOp,
            dfg::AllToAllOp>([](auto op) { return op.getAxes(); })
      .Default([](Operation *) { return ArrayAttr(); });
}

bool interpreter::isCollective(Operation *op) {
  return static_cast<bool>(axesOf(op));
}

SmallVector<int64_t> interpreter::groupOf(Operation *op, dfg::MeshAttr mesh,
                                          int64_t rank) {
  SmallVector<StringAttr> axes(axesOf(op).getAsRange<StringAttr>());
  auto onAxes = [&](int64_t r) {
    int64_t position = 0;
    for (StringAttr axis : axes)
      position = position * mesh.getSize(axis) + coordinate(mesh, r, axis);
    return position;
  };
  auto reduce = dyn_cast<dfg::AllReduceOp>(op);
  auto takesPart = [&](int64_t r) {
    return !reduce || !reduce.getOnly() ||
           llvm::is_contained(*reduce.getOnly(), onAxes(r));
  };
  if (!takesPart(rank))
    return {rank};
  SmallVector<int64_t> group;
  for (int64_t r = 0; r < mesh.getNumRanks(); ++r) {
    bool sameElsewhere = llvm::all_of(mesh.getNames(), [&](StringAttr axis) {
      return llvm::is_contained(axes, axis) ||
             coordinate(mesh, r, axis) == coordinate(mesh, rank, axis);
    });
    if (sameElsewhere && takesPart(r))
      group.push_back(r);
  }
  llvm::sort(group,
             [&](int64_t a, int64_t b) { return onAxes(a) < onAxes(b); });
  return group;
}

//===----------------------------------------------------------------------===//
// The four collectives
//===----------------------------------------------------------------------===//

static Tensor combine(Operands operands, dfg::Reduction kind) {
  Tensor result = *operands[0];
  for (const Tensor *operand : operands.drop_front())
    for (auto [to, from] : llvm::zip_equal(result.data, operand->data))
      to = kind == dfg::Reduction::Max ? std::max(to, from) : to + from;
  return result;
}

static Tensor join(Operands parts, int64_t dim) {
  Shape shape(parts[0]->shape), start(shape.size(), 0);
  shape[dim] *= parts.size();
  Tensor whole(shape, 0);
  for (const Tensor *part : parts) {
    whole.place(start, *part);
    start[dim] += part->shape[dim];
  }
  return whole;
}

/// Equal parts of `whole` along `dim`, in order.
static Tensors split(const Tensor &whole, int64_t dim, int64_t count) {
  Shape sizes(whole.shape), start(sizes.size(), 0);
  sizes[dim] /= count;
  Tensors parts;
  for (int64_t i = 0; i < count; ++i, start[dim] += sizes[dim])
    parts.push_back(whole.block(start, sizes));
  return parts;
}

Tensors interpreter::runCollective(Operation *op, Operands operands) {
  int64_t count = operands.size();
  return llvm::TypeSwitch<Operation *, Tensors>(op)
      .Case([&](dfg::AllReduceOp op) {
        return Tensors(count, combine(operands, op.getKind()));
      })
      .Case([&](dfg::AllGatherOp op) {
        return Tensors(count, join(operands, op.getDim()));
      })
      .Case([&](dfg::ReduceScatterOp op) {
        return split(combine(operands, dfg::Reduction::Sum), op.getDim(),
                     count);
      })
      .Case([&](dfg::AllToAllOp op) {
        return split(join(operands, op.getConcat()), op.getSplit(), count);
      });
}
