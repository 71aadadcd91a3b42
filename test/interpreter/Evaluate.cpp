// Dispatch over the groups of ops, and fused regions.
#include "test/interpreter/Evaluate.h"

#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::interpreter;

std::string RankContext::withLayer(StringRef text, int64_t layer) const {
  std::string result = text.str();
  std::string token = "{layer}", number = std::to_string(layer + firstLayer);
  for (size_t at; (at = result.find(token)) != std::string::npos;)
    result.replace(at, token.size(), number);
  return result;
}

uint64_t RankContext::streamKey(StringRef stream, int64_t layer) const {
  uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
  for (unsigned char c : withLayer(stream, layer))
    hash = (hash ^ c) * 0x100000001b3u;
  return hash;
}

/// Runs the ops of a fused region one after the other.
static FailureOr<Tensors> evaluateFused(dfg::FusedOp fused, Operands operands,
                                        const RankContext &context) {
  llvm::DenseMap<Value, Tensor> values;
  Block &block = fused.getBody().front();
  for (auto [argument, operand] :
       llvm::zip_equal(block.getArguments(), operands))
    values[argument] = *operand;
  auto read = [&](Operation &op) {
    llvm::SmallVector<const Tensor *> inputs;
    for (Value operand : op.getOperands())
      inputs.push_back(&values.at(operand));
    return inputs;
  };
  for (Operation &op : block.without_terminator()) {
    FailureOr<Tensors> results = evaluate(&op, read(op), context);
    if (failed(results))
      return failure();
    for (auto [value, result] : llvm::zip_equal(op.getResults(), *results))
      values[value] = std::move(result);
  }
  Tensors outputs;
  for (const Tensor *output : read(*block.getTerminator()))
    outputs.push_back(*output);
  return outputs;
}

FailureOr<Tensors> interpreter::evaluate(Operation *op, Operands operands,
                                         const RankContext &context) {
  if (auto fused = dyn_cast<dfg::FusedOp>(op))
    return evaluateFused(fused, operands, context);
  for (auto group : {evaluateElementwise, evaluateShape, evaluateModel})
    if (std::optional<Tensors> results = group(op, operands, context))
      return *results;
  return op->emitError("the interpreter does not know this op");
}
