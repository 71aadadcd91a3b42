// Writes formulas over flat tensors as dfg ops.
#include "passes/update/Formula.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The type with dimensions; of two scalars either.
Type Formula::commonType(const Term &a, const Term &b) {
  if (!a.value)
    return b.value.getType();
  if (!b.value || typeOf(a.value).getRank() > 0)
    return a.value.getType();
  return b.value.getType();
}

Value Formula::spread(const Term &term, Type type) {
  if (!term.value)
    return constant(term.number, type);
  if (term.value.getType() == type)
    return term.value;
  return BroadcastOp::create(builder, loc, type, term.value,
                             ArrayRef<int64_t>());
}

Value Formula::sqrt(Value a) { return SqrtOp::create(builder, loc, a); }

Value Formula::select(Value condition, Value a, Value b) {
  return SelectOp::create(builder, loc, spread(condition, a.getType()), a, b);
}

Value Formula::cast(Value a, Type elementType) {
  if (typeOf(a).getElementType() == elementType)
    return a;
  return CastOp::create(builder, loc, typeOf(a).clone(elementType), a);
}

Value Formula::scalar(StringRef name) {
  return ScalarOp::create(builder, loc, RankedTensorType::get({}, f32()), name);
}

Value Formula::constant(double number, Type tensorType) {
  return ConstantOp::create(builder, loc, tensorType,
                            builder.getF64FloatAttr(number));
}

Value Formula::allReduce(Value value, ArrayRef<StringAttr> axes,
                         ArrayRef<int64_t> only) {
  if (axes.empty())
    return value;
  SmallVector<Attribute> names(axes.begin(), axes.end());
  return AllReduceOp::create(builder, loc, value.getType(), Reduction::Sum,
                             value, builder.getArrayAttr(names),
                             only.empty() ? DenseI64ArrayAttr()
                                          : builder.getDenseI64ArrayAttr(only));
}
