// Meaning of the ops on what a rank remembers between runs.
#include "test/interpreter/State.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::interpreter;

using Result = FailureOr<std::optional<Tensors>>;

static ArrayRef<int64_t> shapeOf(Type type) {
  return cast<RankedTensorType>(type).getShape();
}

static Result scalar(double value) {
  return std::optional(Tensors{Tensor(ArrayRef<int64_t>(), value)});
}

static Result nothing() { return std::optional(Tensors()); }

//===----------------------------------------------------------------------===//
// Buckets: parameters and gradients are stored by parameter, packed on reading
//===----------------------------------------------------------------------===//

/// Calls `action` with the tensor and offset of each parameter of a bucket.
static void forEachMember(dfg::BucketOp bucket,
                          llvm::StringMap<Tensor> &tensors,
                          function_ref<void(Tensor &, int64_t offset)> action) {
  for (auto [name, offset] :
       llvm::zip_equal(bucket.getParameters().getAsRange<FlatSymbolRefAttr>(),
                       bucket.getOffsets()))
    action(tensors[name.getValue()], offset);
}

/// The tensors that `field` packs; null for an optimizer state.
static llvm::StringMap<Tensor> *members(RankState &state, StringRef field) {
  if (field == "weight")
    return &state.parameters;
  return field == "gradient" ? &state.gradients : nullptr;
}

static std::string stateName(dfg::BucketOp bucket, StringRef field) {
  return (bucket.getSymName() + "." + field).str();
}

static Tensor readBucket(dfg::BucketOp bucket, StringRef field,
                         RankState &state) {
  Tensor flat(shapeOf(bucket.getType()), 0);
  if (llvm::StringMap<Tensor> *tensors = members(state, field)) {
    forEachMember(bucket, *tensors, [&](Tensor &tensor, int64_t offset) {
      llvm::copy(tensor.data, flat.data.begin() + offset);
    });
    return flat;
  }
  auto found = state.states.find(stateName(bucket, field));
  return found == state.states.end() ? flat : found->second;
}

static void writeBucket(dfg::BucketOp bucket, StringRef field,
                        const Tensor &flat, RankState &state) {
  llvm::StringMap<Tensor> *tensors = members(state, field);
  if (!tensors) {
    state.states[stateName(bucket, field)] = flat;
    return;
  }
  forEachMember(bucket, *tensors, [&](Tensor &tensor, int64_t offset) {
    auto begin = flat.data.begin() + offset;
    std::copy(begin, begin + tensor.size(), tensor.data.begin());
  });
}

//===----------------------------------------------------------------------===//
// Dispatch
//===----------------------------------------------------------------------===//

Result interpreter::runStateOp(Operation *op, Operands operands,
                               ModuleOp program, RankState &state,
                               const llvm::StringMap<double> &scalars) {
  auto bucketOf = [&](auto op) {
    return program.lookupSymbol<dfg::BucketOp>(op.getBucket());
  };
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](dfg::WeightOp op) -> Result {
        auto found = state.parameters.find(op.getParameter());
        if (found == state.parameters.end())
          return op.emitError("parameter was given no value");
        return std::optional(Tensors{found->second});
      })
      .Case([&](dfg::AccumulateGradOp op) -> Result {
        Tensor &sum = state.gradients[op.getParameter()];
        if (sum.data.empty())
          sum = Tensor(operands[0]->shape, 0);
        for (auto [to, from] : llvm::zip_equal(sum.data, operands[0]->data))
          to += from;
        return nothing();
      })
      .Case([&](dfg::ScalarOp op) -> Result {
        auto found = scalars.find(op.getName());
        if (found == scalars.end())
          return op.emitError("scalar was given no value");
        return scalar(found->second);
      })
      .Case([&](dfg::MetricOp op) {
        state.metrics[op.getName()] += operands[0]->data[0];
        return nothing();
      })
      .Case([&](dfg::MetricReadOp op) {
        return scalar(state.metrics[op.getName()]);
      })
      .Case([&](dfg::MetricWriteOp op) {
        state.metrics[op.getName()] = operands[0]->data[0];
        return nothing();
      })
      .Case([&](dfg::BucketReadOp op) -> Result {
        return std::optional(
            Tensors{readBucket(bucketOf(op), op.getField(), state)});
      })
      .Case([&](dfg::BucketWriteOp op) {
        writeBucket(bucketOf(op), op.getField(), *operands[0], state);
        return nothing();
      })
      .Case([&](dfg::BeginBackwardOp) { return nothing(); })
      .Default([](Operation *) -> Result {
        return std::optional<Tensors>(std::nullopt);
      });
}
