// Every kernel case on the machine's GPU against the interpreter.
#include "test/passes/emit/kernel/CudaRunner.h"
#include "test/passes/emit/kernel/KernelChecks.h"
#include "test/passes/emit/kernel/SumCases.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::passes;

namespace {
class CudaKernels : public testing::TestWithParam<SizedCase> {
protected:
  void SetUp() override {
    if (std::string why = whyNoCuda(); !why.empty())
      GTEST_SKIP() << why;
  }
  FusedProgram make(int64_t misalignment = 0) {
    auto [one, columns, element] = GetParam();
    RankContext context;
    context.microbatch = 2;
    return FusedProgram(withTypes(one.signature, columns, element),
                        withTypes(one.body, columns, element), context,
                        cudaBackend(), misalignment);
  }
};
} // namespace

TEST_P(CudaKernels, ComputeWhatTheInterpreterDoes) {
  FusedProgram program = make();
  Tensors inputs = program->makeInputs(1, -1.5, 1.5); // exp stays in f16
  Tensors actual = program->run(inputs), expected = program->expected(inputs);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_LT(distance(actual[i], expected[i]),
              tolerance(std::get<2>(GetParam())))
        << "result " << i;
}

TEST_P(CudaKernels, GiveTheSameBitsForEveryLaunch) {
  FusedProgram program = make();
  Tensors inputs = program->makeInputs(2);
  Tensors usual = program->run(inputs);
  for (int64_t blocks : {1, 2, 7, 1000})
    expectSameBits(program->run(inputs, {}, /*inPlace=*/false, blocks), usual);
  expectSameBits(program->run(inputs, {}, /*inPlace=*/true), usual);
}

TEST_P(CudaKernels, ReadBuffersThatAreAlignedToTheirElementsOnly) {
  FusedProgram program = make(std::get<2>(GetParam()) == "f32" ? 4 : 2);
  Tensors inputs = program->makeInputs(4);
  expectSameBits(program->run(inputs), make()->run(inputs));
}

INSTANTIATE_TEST_SUITE_P(
    AllCases, CudaKernels,
    testing::Combine(testing::ValuesIn(kCases),
                     testing::Values(1, 7, 64, 768, 1000, 1600, 4096, 12288,
                                     50304),
                     testing::Values("f32", "bf16", "f16")),
    nameOf);

TEST(CudaKernel, KeepsSumsOverRows) {
  if (std::string why = whyNoCuda(); !why.empty())
    GTEST_SKIP() << why;
  for (const SumCase &one : kSumCases)
    for (std::string element : {"f32", "bf16", "f16"}) {
      SCOPED_TRACE(one.name + std::string(" ") + std::to_string(one.rows) +
                   " x " + std::to_string(one.columns) + " " + element);
      FusedProgram program(withSizes(kSumSignature, one, element),
                           withSizes(one.body, one, element), {},
                           cudaBackend());
      expectSums(program, program, element, {1, 2, 1000});
    }
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// Largest error of `op` on [low, high]: relative, and at least to `floor`.
static double worstError(const std::string &op, double low, double high,
                         double floor, double (*exact)(double)) {
  FusedProgram program("%x: tensor<100000xf32>",
                       "%0 = dfg." + op + R"( %x : tensor<100000xf32>
    "test.use"(%0) : (tensor<100000xf32>) -> ())",
                       {}, cudaBackend());
  Tensors inputs = program->makeInputs(9, low, high);
  Tensors results = program->run(inputs);
  double worst = 0;
  for (auto [x, y] : llvm::zip(inputs[0].data, results[0].data))
    worst = std::max(worst, std::abs(y - exact(x)) /
                                std::max(std::abs(exact(x)), floor));
  return worst;
}

static double gelu(double x) {
  return 0.5 * x *
         (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

TEST(CudaKernel, ApproximatesFunctionsClosely) {
  if (std::string why = whyNoCuda(); !why.empty())
    GTEST_SKIP() << why;
  constexpr double kUlp = 1.2e-7; // at most
  auto inverseRoot = [](double x) { return 1 / std::sqrt(x); };
  EXPECT_LT(worstError("exp", -20, 0, 1e-3, std::exp), 10 * kUlp);
  EXPECT_LT(worstError("exp", -80, 80, 0, std::exp), 100 * kUlp);
  EXPECT_LT(worstError("log", 1e-6, 1, 1e-6, std::log), 2 * kUlp);
  EXPECT_LT(worstError("log", 1, 1e6, 1e-6, std::log), 2 * kUlp);
  EXPECT_LT(worstError("sqrt", 0, 1e6, 1e-6, std::sqrt), 2 * kUlp);
  EXPECT_LT(worstError("rsqrt", 1e-6, 1e6, 0, inverseRoot), 2 * kUlp);
  EXPECT_LT(worstError("gelu tanh", -6, 6, 1, gelu), 5 * kUlp);
}

TEST(CudaKernel, LetsNotANumberThrough) {
  if (std::string why = whyNoCuda(); !why.empty())
    GTEST_SKIP() << why;
  FusedProgram program("%x: tensor<2x24xf32>", R"(
    %0 = dfg.reduce max %x {dims = array<i64: 1>}
        : tensor<2x24xf32> -> tensor<2xf32>
    %1 = dfg.exp %x : tensor<2x24xf32>
    %2 = dfg.gelu tanh %x : tensor<2x24xf32>
    "test.use"(%0, %1, %2)
        : (tensor<2xf32>, tensor<2x24xf32>, tensor<2x24xf32>) -> ())",
                       {}, cudaBackend());
  Tensors inputs = program->makeInputs(8);
  for (int64_t at : {3, 17}) {
    Tensors broken = inputs;
    broken[0].data[at] = NAN;
    Tensors results = program->run(broken);
    EXPECT_TRUE(std::isnan(results[0].data[0]));
    EXPECT_FALSE(std::isnan(results[0].data[1]));
    EXPECT_TRUE(std::isnan(results[1].data[at]));
    EXPECT_TRUE(std::isnan(results[2].data[at]));
  }
}

TEST(CudaKernel, ComputesSingleNumbersInDoublePrecision) {
  if (std::string why = whyNoCuda(); !why.empty())
    GTEST_SKIP() << why;
  FusedProgram program("%a: tensor<f64>, %b: tensor<f32>", R"(
    %two = dfg.constant 2.0 : tensor<f64>
    %0 = dfg.mul %a, %a : tensor<f64>
    %1 = dfg.add %0, %two : tensor<f64>
    %2 = dfg.sqrt %1 : tensor<f64>
    %inverse = dfg.div %two, %2 : tensor<f64>
    %least = dfg.minimum %inverse, %2 : tensor<f64>
    %3 = dfg.cast %2 : tensor<f64> to tensor<f32>
    %4 = dfg.maximum %3, %b : tensor<f32>
    "test.use"(%2, %least, %4) : (tensor<f64>, tensor<f64>, tensor<f32>) -> ())",
                       {}, cudaBackend());
  Tensors inputs = program->makeInputs(6);
  Tensors actual = program->run(inputs), expected = program->expected(inputs);
  EXPECT_LT(distance(actual[0], expected[0]), 1e-15);
  EXPECT_LT(distance(actual[1], expected[1]), 1e-15);
  EXPECT_LT(distance(actual[2], expected[2]), 1e-7);
}
