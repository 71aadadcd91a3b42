// Meaning of products, lookups, norms and attention.
#include "kernels/ref/Attention.h"
#include "test/interpreter/Evaluate.h"

#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace orrery;
using namespace orrery::interpreter;

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

//===----------------------------------------------------------------------===//
// Matmul
//===----------------------------------------------------------------------===//

/// Row-major step of each of `letters` in a tensor that is laid out as `tensor`
/// says; 0 for letters that it lacks.
static Shape stepsOf(StringRef letters, StringRef tensor,
                     ArrayRef<int64_t> shape) {
  Shape steps(letters.size(), 0);
  int64_t step = 1;
  for (int64_t dim = static_cast<int64_t>(tensor.size()) - 1; dim >= 0; --dim) {
    steps[letters.find(tensor[dim])] = step;
    step *= shape[dim];
  }
  return steps;
}

static int64_t dot(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  int64_t sum = 0;
  for (auto [x, y] : llvm::zip_equal(a, b))
    sum += x * y;
  return sum;
}

/// Sums the product over every assignment of all letters.
static Tensors matmul(dfg::MatmulOp op, const Tensor &lhs, const Tensor &rhs) {
  auto [operands, out] = op.getEquation().split("->");
  auto [left, right] = operands.split(",");
  std::string letters = out.str();
  Shape sizes(shapeOf(op.getResult()));
  auto addLetters = [&](StringRef tensor, const Tensor &x) {
    for (auto [letter, size] : llvm::zip_equal(tensor, x.shape))
      if (letters.find(letter) == std::string::npos) {
        letters += letter;
        sizes.push_back(size);
      }
  };
  addLetters(left, lhs);
  addLetters(right, rhs);
  Tensor result(shapeOf(op.getResult()), 0);
  Shape a = stepsOf(letters, left, lhs.shape);
  Shape b = stepsOf(letters, right, rhs.shape);
  Shape c = stepsOf(letters, out, result.shape);
  forEachIndex(sizes, [&](ArrayRef<int64_t> index) {
    result.data[dot(index, c)] +=
        lhs.data[dot(index, a)] * rhs.data[dot(index, b)];
  });
  return {result};
}

//===----------------------------------------------------------------------===//
// Lookups
//===----------------------------------------------------------------------===//

static Tensors embedding(dfg::EmbeddingOp op, const Tensor &table,
                         const Tensor &ids, int64_t firstRow) {
  Tensor result(shapeOf(op.getResult()), 0);
  int64_t rows = table.shape[0], width = table.shape[1];
  for (int64_t i = 0; i < ids.size(); ++i) {
    int64_t row = static_cast<int64_t>(ids.data[i]) - firstRow;
    for (int64_t h = 0; h < width && row >= 0 && row < rows; ++h)
      result.data[i * width + h] = table.data[row * width + h];
  }
  return {result};
}

static Tensors embeddingGrad(dfg::EmbeddingGradOp op, const Tensor &ids,
                             const Tensor &grad, int64_t firstRow) {
  Tensor result(shapeOf(op.getResult()), 0);
  int64_t rows = result.shape[0], width = result.shape[1];
  for (int64_t i = 0; i < ids.size(); ++i) {
    int64_t row = static_cast<int64_t>(ids.data[i]) - firstRow;
    for (int64_t h = 0; h < width && row >= 0 && row < rows; ++h)
      result.data[row * width + h] += grad.data[i * width + h];
  }
  return {result};
}

static Tensors pick(const Tensor &x, const Tensor &ids, int64_t first) {
  Tensor result(ids.shape, 0);
  int64_t width = x.shape.back();
  for (int64_t i = 0; i < ids.size(); ++i) {
    int64_t column = static_cast<int64_t>(ids.data[i]) - first;
    if (column >= 0 && column < width)
      result.data[i] = x.data[i * width + column];
  }
  return {result};
}

static Tensors pickGrad(dfg::PickGradOp op, const Tensor &ids,
                        const Tensor &grad, int64_t first) {
  Tensor result(shapeOf(op.getResult()), 0);
  int64_t width = result.shape.back();
  for (int64_t i = 0; i < ids.size(); ++i) {
    int64_t column = static_cast<int64_t>(ids.data[i]) - first;
    if (column >= 0 && column < width)
      result.data[i * width + column] = grad.data[i];
  }
  return {result};
}

//===----------------------------------------------------------------------===//
// Layer norm
//===----------------------------------------------------------------------===//

static Tensors layerNorm(dfg::LayerNormOp op, const Tensor &x,
                         const Tensor &gamma, const Tensor &beta) {
  Tensor y(x.shape, 0);
  Tensor mean(shapeOf(op.getMean()), 0), rstd(shapeOf(op.getRstd()), 0);
  int64_t width = x.shape.back();
  for (int64_t row = 0; row < mean.size(); ++row) {
    const double *from = &x.data[row * width];
    double sum = 0, squares = 0;
    for (int64_t h = 0; h < width; ++h)
      sum += from[h];
    double average = sum / width;
    for (int64_t h = 0; h < width; ++h)
      squares += (from[h] - average) * (from[h] - average);
    mean.data[row] = average;
    rstd.data[row] =
        1 / std::sqrt(squares / width + op.getEpsilon().convertToDouble());
    for (int64_t h = 0; h < width; ++h)
      y.data[row * width + h] =
          gamma.data[h] * (from[h] - average) * rstd.data[row] + beta.data[h];
  }
  return {y, mean, rstd};
}

static Tensors layerNormGrad(Operands operands) {
  const Tensor &grad = *operands[0], &x = *operands[1], &mean = *operands[2],
               &rstd = *operands[3], &gamma = *operands[4];
  Tensor gradX(x.shape, 0), gradGamma(gamma.shape, 0), gradBeta(gamma.shape, 0);
  int64_t width = x.shape.back();
  for (int64_t row = 0; row < mean.size(); ++row) {
    auto normal = [&](int64_t h) {
      return (x.data[row * width + h] - mean.data[row]) * rstd.data[row];
    };
    auto scaled = [&](int64_t h) {
      return grad.data[row * width + h] * gamma.data[h];
    };
    double average = 0, correlation = 0;
    for (int64_t h = 0; h < width; ++h) {
      average += scaled(h) / width;
      correlation += scaled(h) * normal(h) / width;
      gradGamma.data[h] += grad.data[row * width + h] * normal(h);
      gradBeta.data[h] += grad.data[row * width + h];
    }
    for (int64_t h = 0; h < width; ++h)
      gradX.data[row * width + h] =
          rstd.data[row] * (scaled(h) - average - normal(h) * correlation);
  }
  return {gradX, gradGamma, gradBeta};
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// The reference kernel with the op's attributes as seen by one rank.
template <typename Op>
static kernels::ref::Attention attentionOf(Op op, const Tensor *documents,
                                           const RankContext &context) {
  kernels::ref::Attention attention;
  ArrayRef<int64_t> q = shapeOf(op.getQ());
  attention.s = q[0], attention.b = q[1], attention.n = q[2],
  attention.d = q[3];
  attention.scale = op.getScale().convertToDouble();
  attention.causal = op.getCausal();
  attention.dropout = op.getProbability().convertToDouble();
  attention.key = context.streamKey(op.getStream(), op.getLayer());
  attention.sample = context.microbatch * op.getNumSamples() +
                     context.value(op.getFirstSample());
  attention.head = context.value(op.getFirstHead());
  attention.totalHeads = op.getNumHeads();
  if (documents)
    attention.documentStart.assign(documents->data.begin(),
                                   documents->data.end());
  return attention;
}

static Tensors attention(dfg::AttentionOp op, Operands x,
                         const RankContext &context) {
  Tensor result(shapeOf(op.getResult()), 0), lse(shapeOf(op.getLse()), 0);
  attentionOf(op, x.size() > 3 ? x[3] : nullptr, context)
      .forward(x[0]->data, x[1]->data, x[2]->data, result.data, lse.data);
  return {result, lse};
}

static Tensors attentionGrad(dfg::AttentionGradOp op, Operands x,
                             const RankContext &context) {
  Tensor q(x[0]->shape, 0), k(x[1]->shape, 0), v(x[2]->shape, 0);
  attentionOf(op, x.size() > 6 ? x[6] : nullptr, context)
      .backward(x[0]->data, x[1]->data, x[2]->data, x[5]->data, q.data, k.data,
                v.data);
  return {q, k, v};
}

std::optional<Tensors> interpreter::evaluateModel(Operation *op, Operands x,
                                                  const RankContext &context) {
  using Result = std::optional<Tensors>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](dfg::MatmulOp op) { return matmul(op, *x[0], *x[1]); })
      .Case([&](dfg::EmbeddingOp op) {
        return embedding(op, *x[0], *x[1], context.value(op.getFirstRow()));
      })
      .Case([&](dfg::EmbeddingGradOp op) {
        return embeddingGrad(op, *x[0], *x[1], context.value(op.getFirstRow()));
      })
      .Case([&](dfg::PickOp op) {
        return pick(*x[0], *x[1], context.value(op.getFirst()));
      })
      .Case([&](dfg::PickGradOp op) {
        return pickGrad(op, *x[0], *x[1], context.value(op.getFirst()));
      })
      .Case([&](dfg::LayerNormOp op) {
        return layerNorm(op, *x[0], *x[1], *x[2]);
      })
      .Case([&](dfg::LayerNormGradOp) { return layerNormGrad(x); })
      .Case([&](dfg::AttentionOp op) { return attention(op, x, context); })
      .Case([&](dfg::AttentionGradOp op) {
        return attentionGrad(op, x, context);
      })
      .Default([](Operation *) -> Result { return std::nullopt; });
}
