// Every op's backward against central differences in double precision.
//
// For results y and random weights w the objective is sum(w · y). The backward
// is built with dy = w; the difference quotient of the objective along each
// input element must agree with it.
#include "test/dialects/dfg/OpCases.h"

#include "mlir/IR/IRMapping.h"
#include <random>

using namespace mlir;
using namespace orrery;
using namespace orrery::dfg;
using interpreter::Interpreter;
using interpreter::Tensor;
using interpreter::Tensors;

namespace {
class Gradient : public testing::TestWithParam<OpCase> {
protected:
  /// Appends @backward(arguments, dy) -> gradients of the float arguments.
  func::FuncOp addBackward(interpreter::ParsedModule &module);
};

/// Whether a gradient flows from `result` at all (see the ops' backwards).
bool flows(OpResult result) {
  Operation *op = result.getOwner();
  bool isStatistic = isa<LayerNormOp, AttentionOp>(op);
  return !isStatistic || result.getResultNumber() == 0;
}

Tensors onlyRank(Interpreter &interpreter, StringRef name,
                 const Tensors &inputs) {
  auto results = interpreter.run(name, ArrayRef<Tensors>(inputs));
  EXPECT_TRUE(succeeded(results));
  return succeeded(results) ? (*results)[0] : Tensors();
}

double objective(const Tensors &results, const Tensors &weights) {
  double sum = 0;
  // Results behind the weights get no gradient: they are not part of it.
  for (auto [result, weight] : llvm::zip(results, weights))
    for (auto [y, w] : llvm::zip_equal(result.data, weight.data))
      sum += y * w;
  return sum;
}
} // namespace

func::FuncOp Gradient::addBackward(interpreter::ParsedModule &module) {
  func::FuncOp main = module.getFunction("main");
  Operation *op = opOf(module);
  SmallVector<Type> arguments(main.getArgumentTypes()), gradients;
  for (OpResult result : op->getResults())
    if (flows(result))
      arguments.push_back(result.getType());
  for (Type type : main.getArgumentTypes())
    if (isa<FloatType>(cast<RankedTensorType>(type).getElementType()))
      gradients.push_back(type);

  OpBuilder builder = OpBuilder::atBlockEnd((*module).getBody());
  Location loc = op->getLoc();
  auto function = func::FuncOp::create(
      builder, loc, "backward", builder.getFunctionType(arguments, gradients));
  Block *block = function.addEntryBlock();
  builder.setInsertionPointToStart(block);
  IRMapping mapping;
  mapping.map(main.getArguments(),
              block->getArguments().take_front(main.getNumArguments()));
  Operation *clone = builder.clone(*op, mapping);
  SmallVector<Value> dy, found, returned;
  size_t next = main.getNumArguments();
  for (OpResult result : op->getResults())
    dy.push_back(flows(result) ? block->getArgument(next++) : Value());
  cast<DifferentiableOpInterface>(clone).buildBackward(builder, dy, found);
  EXPECT_EQ(found.size(), clone->getNumOperands());
  for (auto [operand, gradient] : llvm::zip(clone->getOperands(), found)) {
    auto type = cast<RankedTensorType>(operand.getType());
    bool wanted = isa<FloatType>(type.getElementType());
    EXPECT_EQ(wanted, static_cast<bool>(gradient));
    if (gradient) {
      EXPECT_EQ(gradient.getType(), operand.getType());
      returned.push_back(gradient);
    }
  }
  func::ReturnOp::create(builder, loc, returned);
  EXPECT_TRUE(succeeded(verify(*module)));
  return function;
}

TEST_P(Gradient, AgreesWithCentralDifferences) {
  interpreter::ParsedModule module(GetParam().text("a = 1"));
  Operation *op = opOf(module);
  if (!isa<DifferentiableOpInterface>(op))
    GTEST_SKIP() << "has no backward";
  if (auto reduce = dyn_cast<ReduceOp>(op))
    if (reduce.getKind() == Reduction::Max)
      GTEST_SKIP() << "a maximum has no gradient, see FlowsNotThroughAMaximum";
  addBackward(module);
  if (HasFailure())
    FAIL();

  Interpreter interpreter(*module);
  func::FuncOp main = module.getFunction("main");
  Tensors inputs = inputsFor(GetParam(), main), weights;
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> number(-1, 1);
  for (OpResult result : op->getResults())
    if (flows(result)) {
      weights.emplace_back(cast<RankedTensorType>(result.getType()).getShape(),
                           0);
      for (double &w : weights.back().data)
        w = number(random);
    }
  Tensors backwardInputs = inputs;
  backwardInputs.append(weights.begin(), weights.end());
  Tensors gradients = onlyRank(interpreter, "backward", backwardInputs);

  size_t gradient = 0;
  for (auto [index, type] : llvm::enumerate(main.getArgumentTypes())) {
    if (!isa<FloatType>(cast<RankedTensorType>(type).getElementType()))
      continue;
    for (int64_t i = 0; i < inputs[index].size(); ++i) {
      constexpr double kStep = 1e-5;
      Tensors moved = inputs;
      moved[index].data[i] += kStep;
      double above = objective(onlyRank(interpreter, "main", moved), weights);
      moved[index].data[i] -= 2 * kStep;
      double below = objective(onlyRank(interpreter, "main", moved), weights);
      double quotient = (above - below) / (2 * kStep);
      EXPECT_NEAR(gradients[gradient].data[i], quotient,
                  1e-7 * std::max(1.0, std::abs(quotient)))
          << "argument " << index << ", element " << i;
    }
    ++gradient;
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Gradient, testing::ValuesIn(opCases()), caseName);

TEST(Backward, FlowsNotThroughAMaximum) {
  interpreter::ParsedModule module(R"(
    func.func @main(%x: tensor<4x6xf64>, %dy: tensor<4xf64>) -> tensor<4xf64> {
      %0 = dfg.reduce max %x {dims = array<i64: 1>}
          : tensor<4x6xf64> -> tensor<4xf64>
      return %0 : tensor<4xf64>
    })");
  auto reduce = cast<ReduceOp>(opOf(module));
  OpBuilder builder(reduce->getNextNode());
  SmallVector<Value> gradients;
  Value dy = module.getFunction("main").getArgument(1);
  reduce.buildBackward(builder, dy, gradients);
  ASSERT_EQ(gradients.size(), 1u);
  EXPECT_FALSE(gradients[0]);
}

TEST(Backward, SendsNothingOnWhenOnlyStatisticsHaveAGradient) {
  interpreter::ParsedModule module(R"(
    func.func @main(%x: tensor<4x6xf64>, %g: tensor<6xf64>, %b: tensor<6xf64>,
                    %dm: tensor<4xf64>) {
      %y, %m, %r = dfg.layer_norm %x, %g, %b {epsilon = 1.0e-5 : f64}
          : tensor<4x6xf64>, tensor<6xf64>, tensor<6xf64>
          -> tensor<4x6xf64>, tensor<4xf64>, tensor<4xf64>
      return
    })");
  Operation *op = opOf(module);
  OpBuilder builder(op->getNextNode());
  SmallVector<Value> gradients;
  Value dm = module.getFunction("main").getArgument(3);
  cast<LayerNormOp>(op).buildBackward(builder, {Value(), dm, Value()},
                                      gradients);
  EXPECT_EQ(gradients, SmallVector<Value>(3));
}

TEST(Backward, OfA16BitProductStaysIn16Bits) {
  interpreter::ParsedModule module(R"(
    func.func @main(%x: tensor<4x6xbf16>, %w: tensor<8x6xbf16>,
                    %dy: tensor<4x8xf32>) {
      %0 = dfg.matmul "ti,oi->to" %x, %w
          : tensor<4x6xbf16>, tensor<8x6xbf16> -> tensor<4x8xf32>
      return
    })");
  auto matmul = cast<MatmulOp>(opOf(module));
  OpBuilder builder(matmul->getNextNode());
  SmallVector<Value> gradients;
  Value dy = module.getFunction("main").getArgument(2);
  matmul.buildBackward(builder, dy, gradients);
  ASSERT_EQ(gradients.size(), 2u);
  EXPECT_EQ(gradients[0].getType(), matmul.getLhs().getType());
  EXPECT_EQ(gradients[1].getType(), matmul.getRhs().getType());
  EXPECT_TRUE(succeeded(verify(*module)));
}
