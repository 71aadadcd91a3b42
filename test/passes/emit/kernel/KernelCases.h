// Fused regions like those of a model, over rows of any length.
#ifndef ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELCASES_H
#define ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELCASES_H

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <tuple>

namespace orrery::passes {

/// `text` with types for $X (a full tensor), $R (one number per row), $C (one
/// per column), $r and $c (the same in f32), $I (an id per row).
inline std::string withTypes(std::string text, int64_t columns,
                             const std::string &element = "f32") {
  std::string length = std::to_string(columns), result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      result += text[i];
      continue;
    }
    switch (text[++i]) {
    case 'X':
      result += "tensor<5x3x" + length + "x" + element + ">";
      break;
    case 'R':
      result += "tensor<5x3x" + element + ">";
      break;
    case 'C':
      result += "tensor<" + length + "x" + element + ">";
      break;
    case 'r':
      result += "tensor<5x3xf32>";
      break;
    case 'c':
      result += "tensor<" + length + "xf32>";
      break;
    case 'E':
      result += std::to_string((columns + 11) / 8 * 8);
      break;
    case 'I':
      result += "tensor<5x3xi32>";
      break;
    }
  }
  return result;
}

inline const char *const kPointwise = R"(
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
  %zero = dfg.constant 0.0 : $X
  %positive = dfg.maximum %x, %zero : $X
  %q = dfg.select %positive, %y, %z : $X
  "test.use"(%j, %k, %l, %m, %n, %o, %p, %q)
      : ($X, $X, $X, $X, $X, $X, $X, $X) -> ())";

inline const char *const kNorm = R"(
  %bias = dfg.broadcast %b {dims = array<i64: 2>} : $C to $X
  %o = dfg.add %x, %bias : $X
  %d = dfg.dropout %o {probability = 0.25 : f64, stream = "layers.{layer}.d",
      layer = 1 : i64, extent = array<i64: 10, 6, $E>,
      offset = [#dfg.index<5>, #dfg.index<3>, #dfg.index<4>]} : $X
  %s = dfg.add %y, %d : $X
  %n, %mean, %rstd = dfg.layer_norm %s, %g, %b {epsilon = 1.0e-5 : f64}
      : $X, $C, $C -> $X, $r, $r
  "test.use"(%s, %n, %mean, %rstd) : ($X, $X, $r, $r) -> ())";

inline const char *const kNormGrad = R"(
  %dx, %dg, %db = dfg.layer_norm_grad %dy, %x, %mean, %rstd, %g
      : $X, $X, $r, $r, $C -> $X, $c, $c
  "test.use"(%dx, %dg) : ($X, $c) -> ())";

inline const char *const kLoss = R"(
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

inline const char *const kAdam = R"(
  %step = dfg.div %lr, %c : tensor<f32>
  %0 = dfg.broadcast %step {dims = array<i64>} : tensor<f32> to $c
  %beta = dfg.constant 0.9 : $c
  %1 = dfg.mul %m, %beta : $c
  %2 = dfg.add %1, %g : $c
  %3 = dfg.mul %2, %0 : $c
  %4 = dfg.sub %w, %3 : $c
  %5 = dfg.cast %4 : $c to $C
  "test.use"(%2, %4, %5) : ($c, $c, $C) -> ())";

struct Case {
  const char *name, *signature, *body;
};
inline const Case kCases[] = {
    {"Pointwise", "%x: $X, %y: $X, %z: $X", kPointwise},
    {"Norm", "%x: $X, %y: $X, %b: $C, %g: $C", kNorm},
    {"NormGrad", "%dy: $X, %x: $X, %mean: $r, %rstd: $r, %g: $C", kNormGrad},
    {"Loss", "%x: $X, %ids: $I", kLoss},
    {"Adam", "%w: $c, %g: $c, %m: $c, %lr: tensor<f32>, %c: tensor<f32>",
     kAdam},
};

/// Largest error, relative to a result's largest element or 1.
inline double tolerance(const std::string &element) {
  return element == "f32" ? 4e-6 : element == "f16" ? 0.01 : 0.08;
}

/// A case, its columns and its element type.
using SizedCase = std::tuple<Case, int64_t, std::string>;

inline std::string nameOf(const testing::TestParamInfo<SizedCase> &info) {
  auto [one, columns, element] = info.param;
  return one.name + std::to_string(columns) + element;
}

} // namespace orrery::passes

#endif // ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELCASES_H
