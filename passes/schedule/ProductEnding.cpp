// Recognition of biases and gelus behind a matrix product.
#include "passes/schedule/ProductEnding.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::passes;

namespace {

/// Finds what becomes of `product`, an argument of a fused region.
class EndingFinder {
public:
  EndingFinder(BlockArgument product, int64_t columns)
      : product(product), columns(columns) {}
  LogicalResult run();
  ProductEnding ending;
  StringRef reason; ///< after a failure

private:
  LogicalResult no(StringRef why) {
    reason = why;
    return failure();
  }
  LogicalResult matchBias(dfg::AddOp add);
  LogicalResult matchGeluGrad(dfg::GeluGradOp grad);
  static int64_t timesYielded(Value value) {
    return llvm::count(value.getParentBlock()->getTerminator()->getOperands(),
                       value);
  }

  BlockArgument product;
  int64_t columns;
};

LogicalResult EndingFinder::run() {
  if (!product.hasOneUse())
    return no("its kernel reads the product more than once");
  Operation *user = *product.user_begin();
  LogicalResult found = failure();
  if (auto add = dyn_cast<dfg::AddOp>(user))
    found = matchBias(add);
  else if (auto grad = dyn_cast<dfg::GeluGradOp>(user))
    found = matchGeluGrad(grad);
  else
    return no("its kernel begins with neither a bias nor a gelu_grad");
  if (failed(found))
    return failure();
  if (timesYielded(ending.result) == 0)
    return no("its kernel goes on with a result that it does not write");
  if (timesYielded(ending.result) > 1)
    return no("its kernel writes the result more than once");
  return success();
}

/// add(product, broadcast(bias)), and the gelu of it.
LogicalResult EndingFinder::matchBias(dfg::AddOp add) {
  Value other = add.getLhs() == product ? add.getRhs() : add.getLhs();
  auto broadcast = other.getDefiningOp<dfg::BroadcastOp>();
  auto bias = broadcast ? dyn_cast<BlockArgument>(broadcast.getOperand())
                        : BlockArgument();
  if (!bias || cast<ShapedType>(bias.getType()).getNumElements() != columns)
    return no("its kernel adds something other than a bias");
  int64_t rank = cast<ShapedType>(other.getType()).getRank();
  for (auto [index, dim] : llvm::enumerate(llvm::reverse(broadcast.getDims())))
    if (dim != rank - 1 - static_cast<int64_t>(index))
      return no("its kernel adds something other than a bias");
  if (!other.hasOneUse())
    return no("its kernel goes on with the bias");
  ending = {rank::Epilogue::Bias, {broadcast, add}, bias, {}, add, {}};

  for (Operation *user : add->getUsers()) {
    auto gelu = dyn_cast<dfg::GeluOp>(user);
    if (!gelu)
      continue;
    if (gelu.getForm() != dfg::GeluForm::Tanh)
      return no("its gelu has another form than tanh");
    if (timesYielded(add) > 1)
      return no("its kernel writes x + bias more than once");
    ending.epilogue = rank::Epilogue::BiasGelu;
    ending.ops.push_back(gelu);
    ending.sum = add;
    ending.result = gelu;
    break;
  }
  return success();
}

LogicalResult EndingFinder::matchGeluGrad(dfg::GeluGradOp grad) {
  if (grad.getForm() != dfg::GeluForm::Tanh)
    return no("its gelu has another form than tanh");
  if (grad.getGrad() != product || !isa<BlockArgument>(grad.getOperand()))
    return no("its kernel computes what the gelu was taken of");
  ending = {rank::Epilogue::GeluGrad, {grad}, {}, grad.getOperand(), grad, {}};
  return success();
}

} // namespace

FailureOr<ProductEnding> orrery::passes::findEnding(BlockArgument product,
                                                    int64_t columns,
                                                    StringRef &reason) {
  EndingFinder finder(product, columns);
  if (succeeded(finder.run()))
    return finder.ending;
  reason = finder.reason;
  return failure();
}
