// Kernels for GPUs, run thread by thread on this machine against the
// interpreter, and what becomes of them in PTX.
#include "passes/emit/kernel/gpu/PtxCode.h"
#include "test/passes/emit/kernel/KernelChecks.h"
#include "test/passes/emit/kernel/SimulatedGpu.h"
#include "test/passes/emit/kernel/SumCases.h"

#include <array>
#include <gtest/gtest.h>

using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::passes;

namespace {
class GpuKernels : public testing::TestWithParam<SizedCase> {
protected:
  FusedProgram make(bool backwards = false, int64_t misalignment = 0) {
    auto [one, columns, element] = GetParam();
    RankContext context;
    context.microbatch = 2;
    return FusedProgram(withTypes(one.signature, columns, element),
                        withTypes(one.body, columns, element), context,
                        simulatedGpu(backwards), misalignment);
  }
  int64_t elementBytes() const {
    return std::get<2>(GetParam()) == "f32" ? 4 : 2;
  }
};
} // namespace

TEST_P(GpuKernels, ComputeWhatTheInterpreterDoes) {
  FusedProgram program = make();
  Tensors inputs = program->makeInputs(1, -1.5, 1.5); // exp stays in f16
  Tensors actual = program->run(inputs), expected = program->expected(inputs);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_LT(distance(actual[i], expected[i]),
              tolerance(std::get<2>(GetParam())))
        << "result " << i;
}

TEST_P(GpuKernels, GiveTheSameBitsForEveryNumberOfBlocks) {
  FusedProgram program = make();
  Tensors inputs = program->makeInputs(2);
  Tensors usual = program->run(inputs);
  for (int64_t blocks : {1, 2, 40})
    expectSameBits(program->run(inputs, {}, /*inPlace=*/false, blocks), usual);
}

TEST_P(GpuKernels, GiveTheSameBitsInPlaceAndInAnyOrderOfThreads) {
  FusedProgram program = make(), backwards = make(/*backwards=*/true);
  Tensors inputs = program->makeInputs(3);
  Tensors apart = program->run(inputs);
  expectSameBits(program->run(inputs, {}, /*inPlace=*/true), apart);
  expectSameBits(backwards->run(inputs, {}, /*inPlace=*/true, 2), apart);
}

TEST_P(GpuKernels, ReadBuffersThatAreAlignedToTheirElementsOnly) {
  FusedProgram program = make(false, elementBytes());
  Tensors inputs = program->makeInputs(4);
  expectSameBits(program->run(inputs), make()->run(inputs));
}

INSTANTIATE_TEST_SUITE_P(AllCases, GpuKernels,
                         testing::Combine(testing::ValuesIn(kCases),
                                          testing::Values(1, 7, 64, 768, 1000,
                                                          1600, 4096, 12288,
                                                          50304),
                                          testing::Values("f32", "bf16")),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(HalfCases, GpuKernels,
                         testing::Combine(testing::ValuesIn(kCases),
                                          testing::Values(1, 7, 768, 1600),
                                          testing::Values("f16")),
                         nameOf);

/// The loss of a vocabulary: the row is read once.
static const char *const kCrossEntropy = R"(
  %f = dfg.cast %x : tensor<6xCxbf16> to tensor<6xCxf32>
  %m = dfg.reduce max %f {dims = array<i64: 1>} : tensor<6xCxf32> -> tensor<6xf32>
  %mb = dfg.broadcast %m {dims = array<i64: 0>} : tensor<6xf32> to tensor<6xCxf32>
  %z = dfg.sub %f, %mb : tensor<6xCxf32>
  %e = dfg.exp %z : tensor<6xCxf32>
  %s = dfg.reduce sum %e {dims = array<i64: 1>} : tensor<6xCxf32> -> tensor<6xf32>
  %p = dfg.pick %z, %ids {first = #dfg.index<0>} : tensor<6xCxf32>, tensor<6xi32> -> tensor<6xf32>
  %l = dfg.log %s : tensor<6xf32>
  %t = dfg.sub %l, %p : tensor<6xf32>
  "test.use"(%m, %s, %t) : (tensor<6xf32>, tensor<6xf32>, tensor<6xf32>) -> ())";

static FusedProgram makeCrossEntropy(int64_t columns, const Backend &backend) {
  std::string body(kCrossEntropy), signature("%x: tensor<6xCxbf16>");
  for (std::string *text : {&body, &signature})
    for (size_t at; (at = text->find('C')) != std::string::npos;)
      text->replace(at, 1, std::to_string(columns));
  return FusedProgram(signature + ", %ids: tensor<6xi32>", body, {}, backend);
}

TEST(GpuKernel, TakesASoftmaxInOneWalk) {
  for (int64_t columns : {16392, 50304, 50257}) {
    FusedProgram program = makeCrossEntropy(columns, simulatedGpu());
    for (double range : {0.0, 3.0, 80.0}) {
      Tensors inputs = program->makeInputs(5, -range, range);
      Tensors actual = program->run(inputs);
      Tensors expected = program->expected(inputs);
      for (size_t i = 0; i < actual.size(); ++i)
        EXPECT_LT(distance(actual[i], expected[i]), 4e-6)
            << "result " << i << ", " << columns << " columns, range " << range;
    }
    Tensors inputs = program->makeInputs(6, -3, 3);
    inputs[0].data[12345] = -INFINITY; // as far as a masked token
    EXPECT_LT(distance(program->run(inputs)[2], program->expected(inputs)[2]),
              4e-6);
  }
}

static FusedProgram makeSums(const SumCase &one, const std::string &element,
                             const Backend &backend) {
  return FusedProgram(withSizes(kSumSignature, one, element),
                      withSizes(one.body, one, element), {}, backend);
}

TEST(GpuKernel, KeepsSumsOverRows) {
  for (const SumCase &one : kSumCases)
    for (std::string element : {"f32", "bf16"}) {
      SCOPED_TRACE(one.name + std::string(" ") + std::to_string(one.rows) +
                   " x " + std::to_string(one.columns) + " " + element);
      FusedProgram program = makeSums(one, element, simulatedGpu());
      FusedProgram backwards = makeSums(one, element, simulatedGpu(true));
      EXPECT_EQ(program->getCall().rows, one.parts);
      EXPECT_EQ(program->getInfo().rowsPerBlock, 1);
      expectSums(program, backwards, element, {1, 2});
    }
}

TEST(GpuKernel, SharesOutRowsThatFillTheirBlocks) {
  FusedProgram program("%x: tensor<8x768xf32>, %y: tensor<8x768xf32>", R"(
    %0 = dfg.reduce sum %x {dims = array<i64: 1>}
        : tensor<8x768xf32> -> tensor<8xf32>
    %1 = dfg.broadcast %0 {dims = array<i64: 0>}
        : tensor<8xf32> to tensor<8x768xf32>
    %2 = dfg.add %1, %y : tensor<8x768xf32>
    "test.use"(%0, %2) : (tensor<8xf32>, tensor<8x768xf32>) -> ())",
                       {}, simulatedGpu());
  EXPECT_EQ(program->getCall().rows % program->getInfo().rowsPerBlock, 0);
  Tensors inputs = program->makeInputs(7);
  Tensors expected = program->expected(inputs);
  for (int64_t blocks : {1, 2, 5}) {
    Tensors actual = program->run(inputs, {}, /*inPlace=*/false, blocks);
    for (size_t i = 0; i < actual.size(); ++i)
      EXPECT_LT(distance(actual[i], expected[i]), 1e-6) << "result " << i;
  }
}

TEST(GpuKernel, ReadsValuesThatLackSomeRowDimensions) {
  FusedProgram program("%a: tensor<3xf32>, %b: tensor<5x8xf32>", R"(
    %0 = dfg.broadcast %a {dims = array<i64: 1>}
        : tensor<3xf32> to tensor<5x3x8xf32>
    %1 = dfg.broadcast %b {dims = array<i64: 0, 2>}
        : tensor<5x8xf32> to tensor<5x3x8xf32>
    %2 = dfg.add %0, %1 : tensor<5x3x8xf32>
    "test.use"(%2) : (tensor<5x3x8xf32>) -> ())",
                       {}, simulatedGpu());
  EXPECT_EQ(program->getCall().rows, 5 * 3 * 8); // cut anywhere
  Tensors inputs = program->makeInputs(8);
  EXPECT_LT(distance(program->run(inputs)[0], program->expected(inputs)[0]),
            1e-6);
}

TEST(GpuKernel, ReducesRowsOfDoublePrecision) {
  for (int64_t columns : {3, 100, 4000}) {
    std::string row = std::to_string(columns) + "xf64>";
    FusedProgram program("%a: tensor<2x" + row,
                         "%0 = dfg.reduce sum %a {dims = array<i64: 1>} : "
                         "tensor<2x" +
                             row + R"( -> tensor<2xf64>
      %1 = dfg.cast %0 : tensor<2xf64> to tensor<2xf32>
      "test.use"(%0, %1) : (tensor<2xf64>, tensor<2xf32>) -> ())",
                         {}, simulatedGpu());
    Tensors inputs = program->makeInputs(9);
    Tensors actual = program->run(inputs), expected = program->expected(inputs);
    EXPECT_LT(distance(actual[0], expected[0]), 1e-14);
    EXPECT_LT(distance(actual[1], expected[1]), 1e-7);
  }
}

TEST(GpuKernel, ComputesSingleNumbers) {
  FusedProgram program("%a: tensor<f64>, %b: tensor<f32>", R"(
    %two = dfg.constant 2.0 : tensor<f64>
    %0 = dfg.mul %a, %a : tensor<f64>
    %1 = dfg.add %0, %two : tensor<f64>
    %2 = dfg.sqrt %1 : tensor<f64>
    %3 = dfg.cast %2 : tensor<f64> to tensor<f32>
    %4 = dfg.maximum %3, %b : tensor<f32>
    "test.use"(%2, %4) : (tensor<f64>, tensor<f32>) -> ())",
                       {}, simulatedGpu());
  Tensors inputs = program->makeInputs(6);
  Tensors actual = program->run(inputs), expected = program->expected(inputs);
  EXPECT_LT(distance(actual[0], expected[0]), 1e-15);
  EXPECT_LT(distance(actual[1], expected[1]), 1e-7);
}

//===----------------------------------------------------------------------===//
// PTX
//===----------------------------------------------------------------------===//

namespace {
struct Assembly {
  KernelInfo info;
  std::string ptx;
  std::string report; // of ptxas; empty without it

  int64_t count(const std::string &text) const {
    int64_t found = 0;
    for (size_t at = 0; (at = ptx.find(text, at)) != std::string::npos; ++at)
      ++found;
    return found;
  }
};
} // namespace

/// Compiles kernels without running them.
static Backend assembler(Assembly &assembly, const char *name = "sm_90") {
  return {
      KernelDevice::Gpu,
      [&assembly, name](KernelLibrary &library,
                        const KernelInfo &info) -> MadeRunner {
        mlir::OwningOpRef<mlir::ModuleOp> module(library.getModule().clone());
        KernelTarget target = KernelTarget::forGpu(name);
        auto ptx = compilePtx(*module, target);
        if (failed(ptx))
          return mlir::failure();
        assembly = {info, *ptx, ""};
        std::string ptxas = findPtxas();
        if (!ptxas.empty() &&
            failed(assemblePtx(*module, *ptx, target, ptxas, &assembly.report)))
          return mlir::failure();
        return {std::unique_ptr<KernelRunner>()};
      }};
}

static Assembly assemble(const char *name, int64_t columns,
                         const std::string &element,
                         const char *target = "sm_90") {
  Assembly assembly;
  for (const Case &one : kCases)
    if (std::string(name) == one.name)
      FusedProgram(withTypes(one.signature, columns, element),
                   withTypes(one.body, columns, element), {},
                   assembler(assembly, target));
  return assembly;
}

TEST(Ptx, LoadsARowOnceInSixteenBytes) {
  Assembly norm = assemble("Norm", 768, "bf16");
  EXPECT_EQ(norm.info.threads, 128u);
  EXPECT_EQ(norm.info.rowsPerBlock, 4);
  // x, y, b and g, each in three chunks of eight; the dropout's key.
  EXPECT_EQ(norm.count("ld.global.v4.b32"), 4 * 3);
  EXPECT_EQ(norm.count("ld.global"), 4 * 3 + 1);
  EXPECT_EQ(norm.count("st.global.v4.b32"), 2 * 3);
  EXPECT_EQ(norm.count("st.global"), 2 * 3 + 2);
}

TEST(Ptx, ReadsALongSoftmaxOnce) {
  Assembly loss;
  makeCrossEntropy(50304, assembler(loss));
  EXPECT_EQ(loss.info.threads, 512u);
  EXPECT_EQ(loss.info.rowsPerBlock, 1);
  EXPECT_EQ(loss.count("ld.global.v4.b32"), 4 + 1); // the loop, and the rest
  EXPECT_EQ(loss.count("bar.sync"), 2);
}

TEST(Ptx, RoundsWithTheMachinesConversions) {
  Assembly norm = assemble("Norm", 768, "bf16");
  EXPECT_EQ(norm.count("cvt.rn.bf16.f32"), 0);
  EXPECT_GE(norm.count("cvt.rn.bf16x2.f32"), 2 * 12);
  EXPECT_GE(assemble("Norm", 768, "f16").count("cvt.rn.f16x2.f32"), 2 * 12);
}

TEST(Ptx, DrawsFourElementsFromOneCounter) {
  Assembly norm = assemble("Norm", 768, "bf16");
  // Ten rounds of two products for each of 24 / 4 counters; the first needs
  // one, as the counter has 64 bits.
  EXPECT_LE(norm.count("mul.hi.u32"), 6 * 20);
  EXPECT_GE(norm.count("mul.hi.u32"), 6 * 18);
}

TEST(Ptx, UsesApproximateFunctions) {
  Assembly all = assemble("Pointwise", 1000, "f32");
  EXPECT_GT(all.count("ex2.approx.ftz.f32"), 0);
  EXPECT_GT(all.count("rsqrt.approx.f32"), 0);
  EXPECT_GT(all.count("div.approx.f32"), 0);
  EXPECT_EQ(all.count("div.rn.f32"), 0);
  EXPECT_EQ(all.count("call"), 0);
}

TEST(Ptx, KeepsToRegisters) {
  if (findPtxas().empty())
    GTEST_SKIP() << "no ptxas";
  auto check = [](const char *name, int64_t columns, const char *element) {
    std::string report = assemble(name, columns, element).report;
    EXPECT_NE(report.find("0 bytes stack frame, 0 bytes spill stores"),
              std::string::npos)
        << name << " " << columns << " " << element << "\n"
        << report;
  };
  for (const char *element : {"f32", "bf16"}) {
    for (const Case &one : kCases)
      for (int64_t columns : {7, 768, 1600, 4096, 12288})
        check(one.name, columns, element);
    check("Loss", 50304, element);
  }
}

TEST(Ptx, KeepsSumsOverRowsInRegisters) {
  if (findPtxas().empty())
    GTEST_SKIP() << "no ptxas";
  for (auto [parts, columns] :
       {std::array{264, 768}, std::array{396, 1600}, std::array{264, 2304},
        std::array{264, 3072}, std::array{264, 4096}, std::array{264, 6400}}) {
    Assembly assembly;
    makeSums({"GradSums", kGradWithSums, 16384, parts, columns}, "bf16",
             assembler(assembly));
    EXPECT_NE(assembly.report.find("0 bytes stack frame, 0 bytes spill stores"),
              std::string::npos)
        << columns << "\n"
        << assembly.report;
    // Once for a row in the loop, and once for what is left behind it; then
    // for two sums of the rows at a time, and behind each part.
    EXPECT_EQ(assembly.count("bar.sync"), (columns == 768 ? 2 + 4 : 2) + 1)
        << columns;
  }
}

TEST(Ptx, NamesAnUnknownMachine) {
  ParsedModule module(R"(
    func.func @f(%x: tensor<4xf32>) {
      %0 = dfg.fused shape [4] ins(%x : tensor<4xf32>) {
      ^bb0(%1: tensor<4xf32>):
        %2 = dfg.exp %1 : tensor<4xf32>
        dfg.yield %2 : tensor<4xf32>
      } : tensor<4xf32>
      return
    })");
  KernelLibrary library(module.getContext(), KernelDevice::Gpu);
  (*module).walk(
      [&](dfg::FusedOp fused) { EXPECT_TRUE(succeeded(library.add(fused))); });
  EXPECT_TRUE(failed(library.compile(KernelTarget::forGpu("sm_91"))));
  EXPECT_NE(module.getDiagnostics().find("unknown cpu 'sm_91'"),
            std::string::npos);
  EXPECT_TRUE(succeeded(library.compile(KernelTarget::forGpu("sm_80"))));
}

TEST(KernelLibrary, NarrowsAccessesToBuffersBetweenSixteenBytes) {
  ParsedModule module(R"(
    func.func @f(%x: tensor<64xbf16>) {
      %0 = dfg.fused shape [64] ins(%x : tensor<64xbf16>) {
      ^bb0(%1: tensor<64xbf16>):
        %2 = dfg.exp %1 : tensor<64xbf16>
        dfg.yield %2 : tensor<64xbf16>
      } : tensor<64xbf16>
      return
    })");
  KernelLibrary library(module.getContext(), KernelDevice::Gpu);
  (*module).walk([&](dfg::FusedOp fused) {
    unsigned wide = library.add(fused)->kernel;
    EXPECT_EQ(library.add(fused, {64, 32})->kernel, wide);
    EXPECT_NE(library.add(fused, {64, 8})->kernel, wide);
  });
  EXPECT_EQ(library.getKernels().size(), 2u);
}
