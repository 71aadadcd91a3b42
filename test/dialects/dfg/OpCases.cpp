// Small instances of every op that is shardable or differentiable.
#include "test/dialects/dfg/OpCases.h"

#include <random>

using namespace mlir;
using namespace orrery;
using namespace orrery::dfg;

#define T "tensor<4x6xf64>"
#define UNARY(name) "%a: " T, "%0 = dfg." name " %a : " T, "%0 : " T
#define BINARY(name)                                                           \
  "%a: " T ", %b: " T, "%0 = dfg." name " %a, %b : " T, "%0 : " T

#define Q "tensor<6x4x4x2xf64>"
#define LSE "tensor<4x4x6xf64>"
#define ATTENTION                                                              \
  "{scale = 0.7 : f64, causal = true, probability = 0.25 : f64, "              \
  "stream = \"layers.{layer}.attention\", layer = 1 : i64, "                   \
  "first_sample = #dfg.index<0>, num_samples = 4 : i64, "                      \
  "first_head = #dfg.index<0>, num_heads = 4 : i64}"

static const std::vector<OpCase> kCases = {
    {"add", BINARY("add")},
    {"sub", BINARY("sub")},
    {"mul", BINARY("mul")},
    {"div", BINARY("div"), /*positive=*/true},
    {"maximum", BINARY("maximum")},
    {"minimum", BINARY("minimum")},
    {"select", "%c: " T ", %a: " T ", %b: " T,
     "%0 = dfg.select %c, %a, %b : " T, "%0 : " T},
    {"exp", UNARY("exp")},
    {"log", UNARY("log"), /*positive=*/true},
    {"sqrt", UNARY("sqrt"), /*positive=*/true},
    {"rsqrt", UNARY("rsqrt"), /*positive=*/true},
    {"gelu_tanh", UNARY("gelu tanh")},
    {"gelu_erf", UNARY("gelu erf")},
    {"gelu_grad_tanh", BINARY("gelu_grad tanh")},
    {"gelu_grad_erf", BINARY("gelu_grad erf")},
    {"cast", "%a: " T, "%0 = dfg.cast %a : " T " to tensor<4x6xf32>",
     "%0 : tensor<4x6xf32>"},
    {"constant", "", "%0 = dfg.constant 0.5 : " T, "%0 : " T},
    {"dropout", "%a: tensor<6x4x8xf64>",
     "%0 = dfg.dropout %a {probability = 0.5 : f64, stream = \"drop\", "
     "layer = 0 : i64, extent = array<i64: 6, 4, 8>, offset = [#dfg.index<0>, "
     "#dfg.index<0>, #dfg.index<0>]} : tensor<6x4x8xf64>",
     "%0 : tensor<6x4x8xf64>"},

    {"broadcast_row", "%a: tensor<6xf64>",
     "%0 = dfg.broadcast %a {dims = array<i64: 2>} : tensor<6xf64> to "
     "tensor<4x2x6xf64>",
     "%0 : tensor<4x2x6xf64>"},
    {"broadcast_scalar", "%a: tensor<f64>",
     "%0 = dfg.broadcast %a {dims = array<i64>} : tensor<f64> to "
     "tensor<4x6xf64>",
     "%0 : tensor<4x6xf64>"},
    {"broadcast_same", "%a: " T,
     "%0 = dfg.broadcast %a {dims = array<i64: 0, 1>} : " T " to " T,
     "%0 : " T},
    {"reduce_sum", "%a: tensor<4x6x4xf64>",
     "%0 = dfg.reduce sum %a {dims = array<i64: 0, 2>} : tensor<4x6x4xf64> -> "
     "tensor<6xf64>",
     "%0 : tensor<6xf64>"},
    {"reduce_max", "%a: tensor<4x6xf64>",
     "%0 = dfg.reduce max %a {dims = array<i64: 1>} : tensor<4x6xf64> -> "
     "tensor<4xf64>",
     "%0 : tensor<4xf64>"},
    {"reshape_split", "%a: tensor<4x24xf64>",
     "%0 = dfg.reshape %a : tensor<4x24xf64> to tensor<4x4x3x2xf64>",
     "%0 : tensor<4x4x3x2xf64>"},
    {"reshape_merge", "%a: tensor<4x2x6xf64>",
     "%0 = dfg.reshape %a : tensor<4x2x6xf64> to tensor<8x6xf64>",
     "%0 : tensor<8x6xf64>"},
    {"reshape_regroup", "%a: tensor<12x5xf64>",
     "%0 = dfg.reshape %a : tensor<12x5xf64> to tensor<4x15xf64>",
     "%0 : tensor<4x15xf64>"},
    {"reshape_mismatch", "%a: tensor<4x4x6xf64>",
     "%0 = dfg.reshape %a : tensor<4x4x6xf64> to tensor<4x6x4xf64>",
     "%0 : tensor<4x6x4xf64>"},
    {"reshape_ones", "%a: tensor<1x4x1x6xf64>",
     "%0 = dfg.reshape %a : tensor<1x4x1x6xf64> to tensor<4x6x1xf64>",
     "%0 : tensor<4x6x1xf64>"},
    {"reshape_scalar", "%a: tensor<1x1xf64>",
     "%0 = dfg.reshape %a : tensor<1x1xf64> to tensor<f64>",
     "%0 : tensor<f64>"},
    {"transpose", "%a: tensor<4x2x6xf64>",
     "%0 = dfg.transpose %a {perm = array<i64: 1, 2, 0>} : tensor<4x2x6xf64> "
     "-> tensor<2x6x4xf64>",
     "%0 : tensor<2x6x4xf64>"},
    {"slice", "%a: tensor<4x6xf64>",
     "%0 = dfg.slice %a {dim = 1 : i64, start = 1 : i64, size = 2 : i64} : "
     "tensor<4x6xf64> -> tensor<4x2xf64>",
     "%0 : tensor<4x2xf64>"},
    {"slice_all", "%a: " T,
     "%0 = dfg.slice %a {dim = 1 : i64, start = 0 : i64, size = 6 : i64} : " T
     " -> " T,
     "%0 : " T},
    {"concat", "%a: tensor<4x2xf64>, %b: tensor<4x4xf64>",
     "%0 = dfg.concat %a, %b {dim = 1 : i64} : tensor<4x2xf64>, "
     "tensor<4x4xf64> -> tensor<4x6xf64>",
     "%0 : tensor<4x6xf64>"},

    {"matmul", "%a: tensor<4x2x6xf64>, %b: tensor<8x6xf64>",
     "%0 = dfg.matmul \"sbi,oi->sbo\" %a, %b : tensor<4x2x6xf64>, "
     "tensor<8x6xf64> -> tensor<4x2x8xf64>",
     "%0 : tensor<4x2x8xf64>"},
    {"matmul_batched", "%a: tensor<4x2x6xf64>, %b: tensor<4x6x2xf64>",
     "%0 = dfg.matmul \"bij,bjk->bki\" %a, %b : tensor<4x2x6xf64>, "
     "tensor<4x6x2xf64> -> tensor<4x2x2xf64>",
     "%0 : tensor<4x2x2xf64>"},
    {"matmul_lone_letter", "%a: tensor<4x6xf64>, %b: tensor<6xf64>",
     "%0 = dfg.matmul \"ab,b->b\" %a, %b : tensor<4x6xf64>, tensor<6xf64> -> "
     "tensor<6xf64>",
     "%0 : tensor<6xf64>"},
    {"embedding", "%t: tensor<8x6xf64>, %ids: tensor<4x2xi32>",
     "%0 = dfg.embedding %t, %ids {first_row = #dfg.index<0>} : "
     "tensor<8x6xf64>, tensor<4x2xi32> -> tensor<4x2x6xf64>",
     "%0 : tensor<4x2x6xf64>"},
    {"embedding_grad", "%ids: tensor<4x2xi32>, %g: tensor<4x2x6xf64>",
     "%0 = dfg.embedding_grad %ids, %g {first_row = #dfg.index<0>} : "
     "tensor<4x2xi32>, tensor<4x2x6xf64> -> tensor<8x6xf64>",
     "%0 : tensor<8x6xf64>"},
    {"pick", "%a: tensor<4x2x8xf64>, %ids: tensor<4x2xi32>",
     "%0 = dfg.pick %a, %ids {first = #dfg.index<0>} : tensor<4x2x8xf64>, "
     "tensor<4x2xi32> -> tensor<4x2xf64>",
     "%0 : tensor<4x2xf64>"},
    {"pick_grad", "%ids: tensor<4x2xi32>, %g: tensor<4x2xf64>",
     "%0 = dfg.pick_grad %ids, %g {first = #dfg.index<0>} : tensor<4x2xi32>, "
     "tensor<4x2xf64> -> tensor<4x2x8xf64>",
     "%0 : tensor<4x2x8xf64>"},
    {"layer_norm",
     "%x: tensor<4x6x4xf64>, %g: tensor<4xf64>, %b: tensor<4xf64>",
     "%0, %1, %2 = dfg.layer_norm %x, %g, %b {epsilon = 1.0e-5 : f64} : "
     "tensor<4x6x4xf64>, tensor<4xf64>, tensor<4xf64> -> tensor<4x6x4xf64>, "
     "tensor<4x6xf64>, tensor<4x6xf64>",
     "%0, %1, %2 : tensor<4x6x4xf64>, tensor<4x6xf64>, tensor<4x6xf64>"},
    {"layer_norm_grad",
     "%d: tensor<4x6x4xf64>, %x: tensor<4x6x4xf64>, %m: tensor<4x6xf64>, "
     "%r: tensor<4x6xf64>, %g: tensor<4xf64>",
     "%0, %1, %2 = dfg.layer_norm_grad %d, %x, %m, %r, %g : "
     "tensor<4x6x4xf64>, tensor<4x6x4xf64>, tensor<4x6xf64>, "
     "tensor<4x6xf64>, tensor<4xf64> -> tensor<4x6x4xf64>, tensor<4xf64>, "
     "tensor<4xf64>",
     "%0, %1, %2 : tensor<4x6x4xf64>, tensor<4xf64>, tensor<4xf64>"},
    {"attention", "%q: " Q ", %k: " Q ", %v: " Q,
     "%0, %1 = dfg.attention %q, %k, %v " ATTENTION " : (" Q ", " Q ", " Q
     ") -> (" Q ", " LSE ")",
     "%0, %1 : " Q ", " LSE},
    // Some queries lie before their document's start and see nothing.
    {"attention_documents",
     "%q: " Q ", %k: " Q ", %v: " Q ", %d: tensor<6x4xi32>",
     "%0, %1 = dfg.attention %q, %k, %v documents %d " ATTENTION " : (" Q ", " Q
     ", " Q ", tensor<6x4xi32>) -> (" Q ", " LSE ")",
     "%0, %1 : " Q ", " LSE, /*positive=*/false, /*idLimit=*/4},
    {"attention_grad",
     "%q: " Q ", %k: " Q ", %v: " Q ", %o: " Q ", %l: " LSE ", %g: " Q,
     "%0, %1, %2 = dfg.attention_grad %q, %k, %v, %o, %l, %g " ATTENTION
     " : (" Q ", " Q ", " Q ", " Q ", " LSE ", " Q ") -> (" Q ", " Q ", " Q ")",
     "%0, %1, %2 : " Q ", " Q ", " Q},
};

#undef T
#undef UNARY
#undef BINARY
#undef Q
#undef LSE
#undef ATTENTION

const std::vector<OpCase> &dfg::opCases() { return kCases; }

std::string OpCase::text(StringRef mesh) const {
  StringRef types = StringRef(results).split(" : ").second;
  return ("module attributes {dfg.mesh = #dfg.mesh<" + mesh +
          ">} { func.func @main(" + arguments + ") -> (" + types + ") { " + op +
          "\nreturn " + results + " } }")
      .str();
}

Operation *dfg::opOf(interpreter::ParsedModule &module) {
  return &module.getFunction("main").getBody().front().front();
}

interpreter::Tensors dfg::inputsFor(const OpCase &test, func::FuncOp function) {
  std::mt19937_64 random(1234);
  std::uniform_real_distribution<double> number(test.positive ? 0.5 : -1.0,
                                                test.positive ? 1.5 : 1.0);
  interpreter::Tensors inputs;
  for (Type argument : function.getArgumentTypes()) {
    auto type = cast<RankedTensorType>(argument);
    interpreter::Tensor &input = inputs.emplace_back(type.getShape(), 0);
    for (double &x : input.data)
      x = type.getElementType().isInteger()
              ? static_cast<double>(random() % test.idLimit)
              : number(random);
  }
  return inputs;
}

std::string dfg::caseName(const testing::TestParamInfo<OpCase> &info) {
  return info.param.name;
}
