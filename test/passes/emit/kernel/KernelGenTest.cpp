// Every generated kernel against the interpreter, over awkward row lengths.
#include "test/passes/emit/kernel/KernelRun.h"

#include <gtest/gtest.h>

using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::passes;

/// `text` with types for $X (a full tensor), $R (one number per row), $C (one
/// per column), $r and $c (the same in f32) and $I (an id per row).
static std::string withTypes(std::string text, int64_t columns,
                             const std::string &element = "f32") {
  std::string length = std::to_string(columns), result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      result += text[i];
      continue;
    }
    switch (text[++i]) {
    case 'X': result += "tensor<5x3x" + length + "x" + element + ">"; break;
    case 'R': result += "tensor<5x3x" + element + ">"; break;
    case 'C': result += "tensor<" + length + "x" + element + ">"; break;
    case 'r': result += "tensor<5x3xf32>"; break;
    case 'c': result += "tensor<" + length + "xf32>"; break;
    case 'I': result += "tensor<5x3xi32>"; break;
    }
  }
  return result;
}

static const char *const kPointwise = R"(
  %a = dfg.add %x, %y : $X
  %b = dfg.sub %a, %z : $X
  %c = dfg.mul %b, %y : $X
  %e = dfg.exp %c : $X
  %one = dfg.constant 1.0 : $X
  %f = dfg.add %e, %one : $X
  %g = dfg.log %f : $X
  %h = dfg.div %a, %f : $X
  %i = dfg.maximum %g, %h : $X
  %j = dfg.minimum %i, %f : $X
  %k = dfg.sqrt %f : $X
  %l = dfg.rsqrt %f : $X
  %m = dfg.gelu tanh %a : $X
  %n = dfg.gelu erf %a : $X
  %o = dfg.gelu_grad tanh %z, %x : $X
  %p = dfg.gelu_grad erf %z, %x : $X
  "test.use"(%j, %k, %l, %m, %n, %o, %p)
      : ($X, $X, $X, $X, $X, $X, $X) -> ())";

static const char *const kNorm = R"(
  %bias = dfg.broadcast %b {dims = array<i64: 2>} : $C to $X
  %o = dfg.add %x, %bias : $X
  %d = dfg.dropout %o {probability = 0.25 : f64, stream = "layers.{layer}.d",
      layer = 1 : i64, extent = array<i64: 10, 6, 2056>,
      offset = [#dfg.index<5>, #dfg.index<3>, #dfg.index<4>]} : $X
  %s = dfg.add %y, %d : $X
  %n, %mean, %rstd = dfg.layer_norm %s, %g, %b {epsilon = 1.0e-5 : f64}
      : $X, $C, $C -> $X, $r, $r
  "test.use"(%s, %n, %mean, %rstd) : ($X, $X, $r, $r) -> ())";

static const char *const kNormGrad = R"(
  %dx, %dg, %db = dfg.layer_norm_grad %dy, %x, %mean, %rstd, %g
      : $X, $X, $r, $r, $C -> $X, $c, $c
  "test.use"(%dx, %dg) : ($X, $c) -> ())";

static const char *const kLoss = R"(
  %m = dfg.reduce max %x {dims = array<i64: 2>} : $X -> $R
  %mb = dfg.broadcast %m {dims = array<i64: 0, 1>} : $R to $X
  %z = dfg.sub %x, %mb : $X
  %e = dfg.exp %z : $X
  %S = dfg.reduce sum %e {dims = array<i64: 2>} : $X -> $R
  %p = dfg.pick %z, %ids {first = #dfg.index<3>} : $X, $I -> $R
  %l = dfg.log %S : $R
  %t = dfg.sub %l, %p : $R
  %Sb = dfg.broadcast %S {dims = array<i64: 0, 1>} : $R to $X
  %q = dfg.div %e, %Sb : $X
  %pg = dfg.pick_grad %ids, %t {first = #dfg.index<3>} : $I, $R -> $X
  %dz = dfg.sub %q, %pg : $X
  "test.use"(%m, %t, %dz) : ($R, $R, $X) -> ())";

struct Case {
  const char *name, *signature, *body;
};
static const Case kCases[] = {
    {"Pointwise", "%x: $X, %y: $X, %z: $X", kPointwise},
    {"Norm", "%x: $X, %y: $X, %b: $C, %g: $C", kNorm},
    {"NormGrad", "%dy: $X, %x: $X, %mean: $r, %rstd: $r, %g: $C", kNormGrad},
    {"Loss", "%x: $X, %ids: $I", kLoss},
};

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
  Tensors inputs = program.makeInputs(1);
  expectClose(program.run(inputs), program.expected(inputs), 2e-6);
}

TEST_P(Kernels, GiveTheSameBitsForEverySplitOfTheRows) {
  FusedProgram program = make();
  Tensors inputs = program.makeInputs(2);
  Tensors whole = program.run(inputs);
  int64_t rows = program.getCall().rows;
  Tensors split = program.run(inputs, {0, 1, rows / 3, rows - 1, rows});
  for (size_t i = 0; i < whole.size(); ++i)
    EXPECT_EQ(whole[i].data, split[i].data) << "result " << i;
}

TEST_P(Kernels, GiveTheSameBitsInPlace) {
  FusedProgram program = make();
  Tensors inputs = program.makeInputs(3);
  Tensors apart = program.run(inputs);
  Tensors together = program.run(inputs, {}, /*inPlace=*/true);
  for (size_t i = 0; i < apart.size(); ++i)
    EXPECT_EQ(apart[i].data, together[i].data) << "result " << i;
}

TEST_P(Kernels, ComputeBfloat16ToItsPrecision) {
  FusedProgram program = make("bf16");
  Tensors inputs = program.makeInputs(4);
  expectClose(program.run(inputs), program.expected(inputs), 0.08);
}

INSTANTIATE_TEST_SUITE_P(
    AllCases, Kernels,
    testing::Combine(testing::ValuesIn(kCases),
                     testing::Values(1, 7, 16, 33, 64, 257)),
    [](const auto &info) {
      return std::string(std::get<0>(info.param).name) +
             std::to_string(std::get<1>(info.param));
    });
