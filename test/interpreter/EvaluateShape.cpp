// Meaning of the ops that move or combine dimensions, of flat reductions and
// of all_slice.
#include "test/interpreter/Evaluate.h"

#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace orrery;
using namespace orrery::interpreter;

static Shape resultShape(Operation *op) {
  return Shape(cast<RankedTensorType>(op->getResult(0).getType()).getShape());
}

/// result[index] = x[from(index)].
template <typename Function>
static Tensors gather(Shape shape, const Tensor &x, Function from) {
  Tensor result(shape, 0);
  int64_t next = 0;
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    result.data[next++] = x.data[x.at(from(index))];
  });
  return {result};
}

static Tensors broadcast(dfg::BroadcastOp op, const Tensor &x) {
  return gather(resultShape(op), x, [&](ArrayRef<int64_t> index) {
    Shape from;
    for (int64_t dim : op.getDims())
      from.push_back(index[dim]);
    return from;
  });
}

static Tensors transpose(dfg::TransposeOp op, const Tensor &x) {
  return gather(resultShape(op), x, [&](ArrayRef<int64_t> index) {
    Shape from(index.size());
    for (auto [to, dim] : llvm::enumerate(op.getPerm()))
      from[dim] = index[to];
    return from;
  });
}

static Tensors reduce(dfg::ReduceOp op, const Tensor &x) {
  bool isMax = op.getKind() == dfg::Reduction::Max;
  Tensor result(resultShape(op),
                isMax ? -std::numeric_limits<double>::infinity() : 0);
  int64_t next = 0;
  forEachIndex(x.shape, [&](ArrayRef<int64_t> index) {
    Shape kept;
    for (auto [dim, i] : llvm::enumerate(index))
      if (!llvm::is_contained(op.getDims(), static_cast<int64_t>(dim)))
        kept.push_back(i);
    double &to = result.data[result.at(kept)], from = x.data[next++];
    to = isMax ? std::max(to, from) : to + from;
  });
  return {result};
}

static Tensors partialSum(dfg::PartialSumOp op, const Tensor &x) {
  Tensor result(resultShape(op), 0);
  int64_t parts = result.shape[0], columns = result.shape[1];
  for (size_t i = 0; i < x.data.size(); ++i) {
    int64_t row = static_cast<int64_t>(i) / columns;
    result.data[row % parts * columns + i % columns] += x.data[i];
  }
  return {result};
}

static Tensors slice(dfg::SliceOp op, const Tensor &x) {
  Shape start(x.shape.size(), 0);
  start[op.getDim()] = op.getStart();
  return {x.block(start, resultShape(op))};
}

static Tensors concat(dfg::ConcatOp op, Operands operands) {
  Tensor result(resultShape(op), 0);
  Shape start(result.shape.size(), 0);
  for (const Tensor *operand : operands) {
    result.place(start, *operand);
    start[op.getDim()] += operand->shape[op.getDim()];
  }
  return {result};
}

/// Sum of `function` over all elements.
template <typename Function>
static Tensors flatReduce(const Tensor &x, Function function) {
  Tensor result({}, 0);
  for (double a : x.data)
    result.data[0] += function(a);
  return {result};
}

static Tensors allSlice(dfg::AllSliceOp op, const Tensor &x,
                        const RankContext &context) {
  dfg::Sharding sharding = dfg::Sharding::replicated(x.shape.size());
  for (StringAttr axis : op.getAxes().getAsRange<StringAttr>())
    sharding.dims[op.getDim()].push_back(axis);
  return {shardOf(x, sharding, context.mesh, context.rank)};
}

std::optional<Tensors> interpreter::evaluateShape(Operation *op, Operands x,
                                                  const RankContext &context) {
  using Result = std::optional<Tensors>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](dfg::BroadcastOp op) { return broadcast(op, *x[0]); })
      .Case([&](dfg::ReduceOp op) { return reduce(op, *x[0]); })
      .Case([&](dfg::PartialSumOp op) { return partialSum(op, *x[0]); })
      .Case([&](dfg::ReshapeOp op) {
        Tensor result = *x[0];
        result.shape = resultShape(op);
        return Tensors{result};
      })
      .Case([&](dfg::TransposeOp op) { return transpose(op, *x[0]); })
      .Case([&](dfg::SliceOp op) { return slice(op, *x[0]); })
      .Case([&](dfg::ConcatOp op) { return concat(op, x); })
      .Case([&](dfg::AllSliceOp op) { return allSlice(op, *x[0], context); })
      .Case([&](dfg::SquareSumOp) {
        return flatReduce(*x[0], [](double a) { return a * a; });
      })
      .Case([&](dfg::CountZerosOp) {
        return flatReduce(*x[0], [](double a) { return a == 0; });
      })
      .Case([&](dfg::CountNotFiniteOp) {
        return flatReduce(*x[0], [](double a) { return !std::isfinite(a); });
      })
      // Values do not change, only where they lie.
      .Case([&](dfg::ReshardOp) { return Tensors{*x[0]}; })
      .Default([](Operation *) -> Result { return std::nullopt; });
}
