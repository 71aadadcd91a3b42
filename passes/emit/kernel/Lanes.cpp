// Arithmetic on several columns at once.
#include "passes/emit/kernel/Lanes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

//===----------------------------------------------------------------------===//
// Numbers and memory
//===----------------------------------------------------------------------===//

Type Lanes::type(Type element) const {
  return width == 1 ? element : VectorType::get({width}, element);
}

static Value makeConstant(const Lanes &lanes, Type type, TypedAttr number) {
  if (auto vector = dyn_cast<VectorType>(type))
    number = DenseElementsAttr::get(vector, Attribute(number));
  return arith::ConstantOp::create(lanes.builder, lanes.loc, number);
}

Value Lanes::constant(Type element, double value) const {
  return makeConstant(*this, type(element),
                      builder.getFloatAttr(element, value));
}

Value Lanes::constant(Type element, int64_t value) const {
  return makeConstant(*this, type(element),
                      builder.getIntegerAttr(element, value));
}

Value Lanes::splat(Value number) const {
  if (width == 1)
    return number;
  return vector::BroadcastOp::create(builder, loc, type(number.getType()),
                                     number);
}

Value Lanes::iota() const {
  if (width == 1)
    return constant(builder.getI64Type(), int64_t(0));
  auto vector = VectorType::get({width}, builder.getI64Type());
  auto numbers = llvm::to_vector(llvm::seq<int64_t>(0, width));
  return arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(vector, ArrayRef(numbers)));
}

static Value elementPointer(const Lanes &lanes, Type element, Value pointer,
                            Value index) {
  return LLVM::GEPOp::create(lanes.builder, lanes.loc, pointer.getType(),
                             element, pointer, ArrayRef<LLVM::GEPArg>{index});
}

/// What `element` is in memory: bf16 moves as an integer.
static Type storageType(Type element) {
  return element.isBF16() ? IntegerType::get(element.getContext(), 16)
                          : element;
}

Value Lanes::load(Type element, Value pointer, Value index,
                  int64_t alignment) const {
  Type stored = storageType(element);
  Value value = LLVM::LoadOp::create(
      builder, loc, type(stored), elementPointer(*this, stored, pointer, index),
      alignment ? alignment : element.getIntOrFloatBitWidth() / 8);
  return stored == element
             ? value
             : arith::BitcastOp::create(builder, loc, type(element), value);
}

void Lanes::store(Value value, Value pointer, Value index,
                  int64_t alignment) const {
  Type element = getElementTypeOrSelf(value);
  Type stored = storageType(element);
  if (stored != element)
    value = arith::BitcastOp::create(builder, loc, type(stored), value);
  LLVM::StoreOp::create(
      builder, loc, value, elementPointer(*this, stored, pointer, index),
      alignment ? alignment : element.getIntOrFloatBitWidth() / 8);
}

//===----------------------------------------------------------------------===//
// Elementwise ops
//===----------------------------------------------------------------------===//

Type Lanes::wide(Type element) const {
  return element.getIntOrFloatBitWidth() < 32 ? builder.getF32Type() : element;
}

Value Lanes::convert(Value value, Type element) const {
  unsigned from = getElementTypeOrSelf(value).getIntOrFloatBitWidth();
  unsigned to = element.getIntOrFloatBitWidth();
  if (getElementTypeOrSelf(value) == element)
    return value;
  if (from == to) { // f16 and bf16
    Value f32 = convert(value, builder.getF32Type());
    return convert(f32, element);
  }
  if (from < to)
    return arith::ExtFOp::create(builder, loc, type(element), value);
  return arith::TruncFOp::create(builder, loc, type(element), value);
}

namespace {
/// Formulas of the activation functions, in the type of their operand.
struct Activation {
  const Lanes &lanes;
  Type element;

  Value number(double value) { return lanes.constant(element, value); }
  Value add(Value a, Value b) {
    return arith::AddFOp::create(lanes.builder, lanes.loc, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulFOp::create(lanes.builder, lanes.loc, a, b);
  }

  /// tanh(k x (1 + c x^2)), k = sqrt(2 / pi), c = 0.044715.
  Value innerTanh(Value x) {
    Value cubic = add(number(1.0), mul(number(0.044715), mul(x, x)));
    Value inner = mul(mul(number(0.79788456), x), cubic);
    return math::TanhOp::create(lanes.builder, lanes.loc, inner);
  }
  /// Phi(x) = 0.5 (1 + erf(x / sqrt 2)).
  Value normal(Value x) {
    Value erf = math::ErfOp::create(lanes.builder, lanes.loc,
                                    mul(x, number(std::sqrt(0.5))));
    return mul(number(0.5), add(number(1.0), erf));
  }

  Value gelu(GeluForm form, Value x) {
    if (form == GeluForm::Erf)
      return mul(x, normal(x));
    return mul(mul(number(0.5), x), add(number(1.0), innerTanh(x)));
  }
  Value geluDerivative(GeluForm form, Value x) {
    Value square = mul(x, x);
    if (form == GeluForm::Erf) {
      Value density = math::ExpOp::create(lanes.builder, lanes.loc,
                                          mul(number(-0.5), square));
      return add(normal(x), mul(mul(x, number(0.3989422804014327)), density));
    }
    Value tanh = innerTanh(x);
    Value sech2 = add(number(1.0), mul(number(-1.0), mul(tanh, tanh)));
    Value slope = add(number(0.79788456), mul(number(0.1070322243), square));
    return add(mul(number(0.5), add(number(1.0), tanh)),
               mul(mul(mul(number(0.5), x), sech2), slope));
  }
};
} // namespace

/// `op` on operands of one float type that the machine computes in. Null when
/// it needs a polynomial in f64: there are none.
static Value computeWide(const Lanes &lanes, Operation *op,
                         ValueRange operands) {
  OpBuilder &b = lanes.builder;
  Location loc = lanes.loc;
  Type element = getElementTypeOrSelf(operands[0]);
  Activation activation{lanes, element};
  Value x = operands[0], y = operands.back();
  if (element.isF64() && isa<ExpOp, LogOp, GeluOp, GeluGradOp>(op))
    return {};
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](AddOp) { return arith::AddFOp::create(b, loc, x, y); })
      .Case([&](SubOp) { return arith::SubFOp::create(b, loc, x, y); })
      .Case([&](MulOp) { return arith::MulFOp::create(b, loc, x, y); })
      .Case([&](DivOp) { return arith::DivFOp::create(b, loc, x, y); })
      .Case([&](MaximumOp) { return arith::MaximumFOp::create(b, loc, x, y); })
      .Case([&](MinimumOp) { return arith::MinimumFOp::create(b, loc, x, y); })
      .Case([&](SelectOp) {
        Value isSet = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE,
                                            x, lanes.constant(element, 0.0));
        return arith::SelectOp::create(b, loc, isSet, operands[1], y);
      })
      .Case([&](ExpOp) { return math::ExpOp::create(b, loc, x); })
      .Case([&](LogOp) { return math::LogOp::create(b, loc, x); })
      .Case([&](SqrtOp) { return math::SqrtOp::create(b, loc, x); })
      .Case([&](RsqrtOp) {
        return arith::DivFOp::create(b, loc, lanes.constant(element, 1.0),
                                     math::SqrtOp::create(b, loc, x));
      })
      .Case([&](GeluOp gelu) { return activation.gelu(gelu.getForm(), x); })
      .Case([&](GeluGradOp gelu) {
        return activation.mul(x, activation.geluDerivative(gelu.getForm(), y));
      })
      .Default([](Operation *) { return Value(); });
}

Value Lanes::compute(Operation *op, ValueRange operands) const {
  Type element = getElementTypeOrSelf(op->getResult(0));
  if (auto number = dyn_cast<ConstantOp>(op))
    return isa<FloatType>(element)
               ? constant(element, number.getValue().convertToDouble())
               : constant(element,
                          int64_t(number.getValue().convertToDouble()));
  if (isa<BroadcastOp>(op))
    return operands[0];
  if (!isa<FloatType>(element))
    return {};
  if (isa<CastOp>(op))
    return isa<FloatType>(getElementTypeOrSelf(operands[0]))
               ? convert(operands[0], element)
               : Value();
  SmallVector<Value> widened = llvm::map_to_vector(
      operands, [&](Value operand) { return convert(operand, wide(element)); });
  Value result = computeWide(*this, op, widened);
  return result ? convert(result, element) : result;
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

Value Lanes::combine(Reduction kind, Value a, Value b) const {
  if (kind == Reduction::Sum)
    return arith::AddFOp::create(builder, loc, a, b);
  return arith::MaximumFOp::create(builder, loc, a, b);
}

Value Lanes::neutral(Reduction kind, Type element) const {
  return constant(element, kind == Reduction::Sum ? 0.0 : -INFINITY);
}

Value Lanes::reduce(Reduction kind, Value value) const {
  // Halves are combined until one number is left.
  for (int64_t size = width / 2; size >= 1; size /= 2) {
    auto half = [&](int64_t first) {
      return vector::ExtractStridedSliceOp::create(
          builder, loc, value, ArrayRef<int64_t>{first},
          ArrayRef<int64_t>{size}, ArrayRef<int64_t>{1});
    };
    value = combine(kind, half(0), half(size));
  }
  return width == 1 ? value
                    : vector::ExtractOp::create(builder, loc, value,
                                                ArrayRef<int64_t>{0});
}
