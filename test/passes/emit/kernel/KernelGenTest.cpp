// Every generated kernel against the interpreter, over awkward row lengths.
#include "test/passes/emit/kernel/KernelCases.h"
#include "test/passes/emit/kernel/KernelRun.h"

#include "mlir/IR/IRMapping.h"

#include <gtest/gtest.h>

using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::passes;

class Kernels : public testing::TestWithParam<std::tuple<Case, int64_t>> {
protected:
  FusedProgram make(const std::string &element = "f32") {
    auto [one, columns] = GetParam();
    RankContext context;
    context.microbatch = 2;
    return FusedProgram(withTypes(one.signature, columns, element),
                        withTypes(one.body, columns, element), context);
  }
};

static void expectClose(const Tensors &actual, const Tensors &expected,
                        double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_LT(distance(actual[i], expected[i]), tolerance) << "result " << i;
}

TEST_P(Kernels, ComputeWhatTheInterpreterDoes) {
  FusedProgram program = make();
  Tensors inputs = program->makeInputs(1);
  expectClose(program->run(inputs), program->expected(inputs), 2e-6);
}

TEST_P(Kernels, GiveTheSameBitsForEverySplitOfTheRows) {
  FusedProgram program = make();
  Tensors inputs = program->makeInputs(2);
  Tensors whole = program->run(inputs);
  int64_t rows = program->getCall().rows;
  Tensors split = program->run(inputs, {0, rows / 5, rows / 2, rows - 1, rows});
  for (size_t i = 0; i < whole.size(); ++i)
    EXPECT_EQ(whole[i].data, split[i].data) << "result " << i;
}

TEST_P(Kernels, GiveTheSameBitsInPlace) {
  FusedProgram program = make();
  Tensors inputs = program->makeInputs(3);
  Tensors apart = program->run(inputs);
  Tensors together = program->run(inputs, {}, /*inPlace=*/true);
  for (size_t i = 0; i < apart.size(); ++i)
    EXPECT_EQ(apart[i].data, together[i].data) << "result " << i;
}

TEST_P(Kernels, ComputeBfloat16ToItsPrecision) {
  FusedProgram program = make("bf16");
  Tensors inputs = program->makeInputs(4);
  expectClose(program->run(inputs), program->expected(inputs), 0.08);
}

INSTANTIATE_TEST_SUITE_P(AllCases, Kernels,
                         testing::Combine(testing::ValuesIn(kCases),
                                          testing::Values(1, 7, 16, 33, 64,
                                                          257)),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param).name) +
                                  std::to_string(std::get<1>(info.param));
                         });

//===----------------------------------------------------------------------===//
// Spaces of other ranks
//===----------------------------------------------------------------------===//

TEST(Kernel, ReadsValuesThatLackSomeRowDimensions) {
  FusedProgram program("%a: tensor<3xf32>, %b: tensor<5x7xf32>", R"(
    %0 = dfg.broadcast %a {dims = array<i64: 1>}
        : tensor<3xf32> to tensor<5x3x7xf32>
    %1 = dfg.broadcast %b {dims = array<i64: 0, 2>}
        : tensor<5x7xf32> to tensor<5x3x7xf32>
    %2 = dfg.add %0, %1 : tensor<5x3x7xf32>
    "test.use"(%2) : (tensor<5x3x7xf32>) -> ())");
  Tensors inputs = program->makeInputs(5);
  expectClose(program->run(inputs), program->expected(inputs), 1e-6);
}

TEST(Kernel, ComputesSingleNumbersInDoublePrecision) {
  FusedProgram program("%a: tensor<f64>, %b: tensor<f32>", R"(
    %two = dfg.constant 2.0 : tensor<f64>
    %0 = dfg.mul %a, %a : tensor<f64>
    %1 = dfg.add %0, %two : tensor<f64>
    %2 = dfg.sqrt %1 : tensor<f64>
    %3 = dfg.cast %2 : tensor<f64> to tensor<f32>
    %4 = dfg.maximum %3, %b : tensor<f32>
    "test.use"(%2, %4) : (tensor<f64>, tensor<f32>) -> ())");
  Tensors inputs = program->makeInputs(6);
  Tensors actual = program->run(inputs), expected = program->expected(inputs);
  EXPECT_LT(distance(actual[0], expected[0]), 1e-15);
  EXPECT_LT(distance(actual[1], expected[1]), 1e-7);
  EXPECT_EQ(program->getCall().rows, 1);
}

TEST(Kernel, ReducesARowOfItsOwn) {
  FusedProgram program("%a: tensor<100xf32>, %s: tensor<f32>", R"(
    %0 = dfg.reduce sum %a {dims = array<i64: 0>}
        : tensor<100xf32> -> tensor<f32>
    %1 = dfg.mul %0, %s : tensor<f32>
    "test.use"(%1) : (tensor<f32>) -> ())");
  Tensors inputs = program->makeInputs(7);
  expectClose(program->run(inputs), program->expected(inputs), 1e-6);
}

/// Largest error of `op` on [low, high], in units in the last place.
static double worstUlp(const std::string &op, double low, double high,
                       double (*exact)(double)) {
  FusedProgram program("%x: tensor<100000xf32>",
                       "%0 = dfg." + op + R"( %x : tensor<100000xf32>
    "test.use"(%0) : (tensor<100000xf32>) -> ())");
  Tensors inputs = program->makeInputs(9, low, high);
  Tensors results = program->run(inputs);
  double worst = 0;
  for (auto [x, y] : llvm::zip(inputs[0].data, results[0].data)) {
    auto rounded = static_cast<float>(exact(x));
    worst = std::max(worst, std::abs(y - exact(x)) /
                                (std::nextafter(std::abs(rounded), INFINITY) -
                                 std::abs(rounded)));
  }
  return worst;
}

TEST(Kernel, ApproximatesFunctionsClosely) {
  EXPECT_LT(worstUlp("exp", -87, 88, std::exp), 2);
  EXPECT_LT(worstUlp("log", 1e-6, 1, std::log), 2);
  EXPECT_LT(worstUlp("log", 1, 1e6, std::log), 2);
  EXPECT_LT(worstUlp("sqrt", 0, 1e6, std::sqrt), 1);
}

TEST(Kernel, LetsNotANumberThrough) {
  FusedProgram program("%x: tensor<2x19xf32>", R"(
    %0 = dfg.reduce max %x {dims = array<i64: 1>}
        : tensor<2x19xf32> -> tensor<2xf32>
    %1 = dfg.exp %x : tensor<2x19xf32>
    %2 = dfg.gelu tanh %x : tensor<2x19xf32>
    "test.use"(%0, %1, %2)
        : (tensor<2xf32>, tensor<2x19xf32>, tensor<2x19xf32>) -> ())");
  Tensors inputs = program->makeInputs(8);
  for (int64_t at : {3, 17}) { // in a vector, in the rest
    Tensors broken = inputs;
    broken[0].data[at] = NAN;
    Tensors results = program->run(broken);
    EXPECT_TRUE(std::isnan(results[0].data[0]));
    EXPECT_FALSE(std::isnan(results[0].data[1]));
    EXPECT_TRUE(std::isnan(results[1].data[at]));
    EXPECT_TRUE(std::isnan(results[2].data[at]));
  }
}

//===----------------------------------------------------------------------===//
// The library
//===----------------------------------------------------------------------===//

static const char *const kDropouts = R"(
  func.func @f(%x: tensor<4x2x8xf32>) {
    %0 = dfg.dropout %x {probability = 0.1 : f64, stream = "a", layer = 0 : i64,
        extent = array<i64: 4, 8, 8>,
        offset = [#dfg.index<0>, #dfg.index<0 + dp * 2>, #dfg.index<0>]} : tensor<4x2x8xf32>
    %2 = dfg.dropout %x {probability = 0.1 : f64, stream = "b", layer = 7 : i64,
        extent = array<i64: 4, 8, 8>, offset = [#dfg.index<4>, #dfg.index<0>,
        #dfg.index<8>]} : tensor<4x2x8xf32>
    return
  }
)";

/// Puts each dropout of kDropouts into a fused op of its own.
static llvm::SmallVector<dfg::FusedOp> wrapEach(mlir::ModuleOp module) {
  llvm::SmallVector<dfg::DropoutOp> dropouts;
  module.walk([&](dfg::DropoutOp op) { dropouts.push_back(op); });
  llvm::SmallVector<dfg::FusedOp> all;
  for (dfg::DropoutOp dropout : dropouts) {
    mlir::OpBuilder builder(dropout);
    auto fused = dfg::FusedOp::create(
        builder, dropout.getLoc(), dropout->getResultTypes(),
        dropout->getOperands(), dropout.getType().getShape());
    mlir::Block &body = fused.getBody().emplaceBlock();
    mlir::IRMapping map;
    map.map(dropout.getOperand(),
            body.addArgument(dropout.getType(), dropout.getLoc()));
    builder.setInsertionPointToEnd(&body);
    mlir::Operation *copy = builder.clone(*dropout, map);
    dfg::YieldOp::create(builder, dropout.getLoc(), copy->getResults());
    all.push_back(fused);
  }
  return all;
}

TEST(KernelLibrary, SharesOneKernelAmongLayers) {
  ParsedModule module(kDropouts);
  auto fused = wrapEach(*module);
  KernelLibrary library(module.getContext());
  auto first = library.add(fused[0]), second = library.add(fused[1]);
  ASSERT_TRUE(succeeded(first) && succeeded(second));
  EXPECT_EQ(library.getKernels().size(), 1u);
  EXPECT_EQ(library.getKernels()[0].buffers, 2u);
  EXPECT_EQ(library.getKernels()[0].scalars, 4u);
  EXPECT_EQ(library.getKernels()[0].description, "dropout");
  EXPECT_EQ(first->rows, 8);

  ASSERT_EQ(second->scalars.size(), 4u);
  EXPECT_EQ(second->scalars[0].stream, "b");
  EXPECT_EQ(second->scalars[0].layer, 7);
  EXPECT_EQ(second->scalars[1].perMicrobatch, 8);
  EXPECT_EQ(second->scalars[2].index.getConstant(), 4);
  EXPECT_EQ(second->scalars[3].index.getConstant(), 8);
  EXPECT_EQ(first->scalars[1].index.getTerms().size(), 1u);
}

TEST(KernelLibrary, NamesAnUnknownCpuAndTriple) {
  ParsedModule module(kDropouts);
  auto fused = wrapEach(*module);
  KernelLibrary library(module.getContext());
  ASSERT_TRUE(succeeded(library.add(fused[0])));
  EXPECT_TRUE(failed(library.compile({"", "i486dx5", ""})));
  EXPECT_NE(module.getDiagnostics().find("unknown cpu 'i486dx5'"),
            std::string::npos);
  EXPECT_TRUE(failed(library.compile({"", "x86-64-v2", ""})));
  EXPECT_NE(module.getDiagnostics().find("cpu 'x86-64-v2' cannot"),
            std::string::npos);
  EXPECT_TRUE(failed(library.compile({"vax-dec-ultrix", "x86-64-v3", ""})));
  EXPECT_NE(module.getDiagnostics().find("'vax-dec-ultrix'"),
            std::string::npos);
  // The kernels survive a failed attempt.
  EXPECT_TRUE(succeeded(library.compile({})));
}

TEST(KernelLibrary, ReportsAnElementTypeThatDoesNotCompute) {
  ParsedModule module(R"(
    func.func @f(%x: tensor<4xf64>) {
      %0 = dfg.fused shape [4] ins(%x : tensor<4xf64>) {
      ^bb0(%1: tensor<4xf64>):
        %2 = dfg.exp %1 : tensor<4xf64>
        dfg.yield %2 : tensor<4xf64>
      } : tensor<4xf64>
      return
    })");
  KernelLibrary library(module.getContext());
  (*module).walk(
      [&](dfg::FusedOp fused) { EXPECT_TRUE(failed(library.add(fused))); });
  EXPECT_NE(module.getDiagnostics().find("no code for elements of type 'f64'"),
            std::string::npos);
}
