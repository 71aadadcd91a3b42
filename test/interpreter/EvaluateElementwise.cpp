// Meaning of the elementwise ops.
#include "kernels/ref/Dropout.h"
#include "test/interpreter/Evaluate.h"

#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace orrery;
using namespace orrery::interpreter;

template <typename Function>
static Tensors map(Operands operands, Function function) {
  Tensor result = *operands[0];
  for (double &x : result.data)
    x = function(x);
  return {result};
}

template <typename Function>
static Tensors zip(Operands operands, Function function) {
  Tensor result = *operands[0];
  for (auto [x, y] : llvm::zip_equal(result.data, operands[1]->data))
    x = function(x, y);
  return {result};
}

//===----------------------------------------------------------------------===//
// Gaussian error linear unit
//===----------------------------------------------------------------------===//

/// sqrt(2 / pi) and sqrt(1 / 2) as the ops' descriptions round them.
static constexpr double kTanhScale = 0.79788456;
static const double kSqrtHalf = std::sqrt(0.5);

static double gelu(dfg::GeluForm form, double x) {
  if (form == dfg::GeluForm::Tanh)
    return 0.5 * x * (1 + std::tanh(kTanhScale * x * (1 + 0.044715 * x * x)));
  return 0.5 * x * (1 + std::erf(x * kSqrtHalf));
}

static double geluDerivative(dfg::GeluForm form, double x) {
  if (form == dfg::GeluForm::Tanh) {
    double t = std::tanh(kTanhScale * x * (1 + 0.044715 * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) *
                               (kTanhScale + 3 * 0.044715 * kTanhScale * x * x);
  }
  return 0.5 * (1 + std::erf(x * kSqrtHalf)) +
         x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
}

//===----------------------------------------------------------------------===//
// Dropout
//===----------------------------------------------------------------------===//

static Tensors dropout(dfg::DropoutOp op, Operands operands,
                       const RankContext &context) {
  Tensor result = *operands[0];
  double probability = op.getProbability().convertToDouble();
  uint64_t key = context.streamKey(op.getStream(), op.getLayer());
  uint64_t threshold = kernels::dropoutThreshold(probability);
  ArrayRef<int64_t> extent = op.getExtent();
  Shape offset;
  for (auto index : op.getOffset().getAsRange<dfg::IndexAttr>())
    offset.push_back(context.value(index));
  int64_t next = 0;
  forEachIndex(result.shape, [&](ArrayRef<int64_t> at) {
    int64_t sample = context.microbatch * extent[1] + at[1] + offset[1];
    int64_t element = (sample * extent[0] + at[0] + offset[0]) * extent[2] +
                      at[2] + offset[2];
    double &x = result.data[next++];
    x = kernels::dropoutKeeps(element, key, threshold) ? x / (1 - probability)
                                                       : 0;
  });
  return {result};
}

//===----------------------------------------------------------------------===//
// Dispatch
//===----------------------------------------------------------------------===//

std::optional<Tensors>
interpreter::evaluateElementwise(Operation *op, Operands x,
                                 const RankContext &context) {
  using Result = std::optional<Tensors>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](dfg::AddOp) { return zip(x, std::plus<double>()); })
      .Case([&](dfg::SubOp) { return zip(x, std::minus<double>()); })
      .Case([&](dfg::MulOp) { return zip(x, std::multiplies<double>()); })
      .Case([&](dfg::DivOp) { return zip(x, std::divides<double>()); })
      .Case([&](dfg::MaximumOp) {
        return zip(x, [](double a, double b) { return std::max(a, b); });
      })
      .Case([&](dfg::MinimumOp) {
        return zip(x, [](double a, double b) { return std::min(a, b); });
      })
      .Case([&](dfg::SelectOp) -> Result {
        Tensor result = *x[2];
        for (int64_t i = 0; i < result.size(); ++i)
          if (x[0]->data[i] != 0)
            result.data[i] = x[1]->data[i];
        return {{result}};
      })
      .Case([&](dfg::ExpOp) {
        return map(x, [](double a) { return std::exp(a); });
      })
      .Case([&](dfg::LogOp) {
        return map(x, [](double a) { return std::log(a); });
      })
      .Case([&](dfg::SqrtOp) {
        return map(x, [](double a) { return std::sqrt(a); });
      })
      .Case([&](dfg::RsqrtOp) {
        return map(x, [](double a) { return 1 / std::sqrt(a); });
      })
      .Case([&](dfg::GeluOp gelu) {
        return map(x, [&](double a) { return ::gelu(gelu.getForm(), a); });
      })
      .Case([&](dfg::GeluGradOp gelu) {
        return zip(x, [&](double dy, double a) {
          return dy * geluDerivative(gelu.getForm(), a);
        });
      })
      .Case([&](dfg::CastOp) { return map(x, [](double a) { return a; }); })
      .Case([&](dfg::ConstantOp constant) {
        return Tensors{Tensor(constant.getResult().getType().getShape(),
                              constant.getValue().convertToDouble())};
      })
      .Case([&](dfg::DropoutOp op) { return dropout(op, x, context); })
      .Default([](Operation *) -> Result { return std::nullopt; });
}
