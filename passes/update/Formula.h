// Writes formulas over flat tensors as dfg ops.
#ifndef ORRERY_PASSES_UPDATE_FORMULA_H
#define ORRERY_PASSES_UPDATE_FORMULA_H

#include "dialects/dfg/DfgDialect.h"

namespace orrery::passes {

/// A tensor in a formula. Operators take equal types; numbers and scalars
/// spread over the other side.
///
///   Formula f(builder, loc);
///   Value y = f.add(f.mul(x, 0.9), f.mul(g, f.scalar("lr")));
class Formula {
public:
  Formula(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  /// An operand: a tensor, or a number that becomes a constant.
  struct Term {
    Term(mlir::Value value) : value(value) {}
    Term(double number) : number(number) {}
    mlir::Value value;
    double number = 0;
  };

  mlir::Value add(Term a, Term b) { return binary<dfg::AddOp>(a, b); }
  mlir::Value sub(Term a, Term b) { return binary<dfg::SubOp>(a, b); }
  mlir::Value mul(Term a, Term b) { return binary<dfg::MulOp>(a, b); }
  mlir::Value div(Term a, Term b) { return binary<dfg::DivOp>(a, b); }
  mlir::Value min(Term a, Term b) { return binary<dfg::MinimumOp>(a, b); }
  mlir::Value sqrt(mlir::Value a);
  /// `a` where `condition` (a tensor or scalar) is not zero, else `b`.
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value cast(mlir::Value a, mlir::Type elementType);
  /// The host's number `name`, f32.
  mlir::Value scalar(llvm::StringRef name);
  mlir::Value constant(double number, mlir::Type tensorType);
  /// Sum over all ranks on `axes`; `value` itself when there are none.
  mlir::Value allReduce(mlir::Value value,
                        llvm::ArrayRef<mlir::StringAttr> axes,
                        llvm::ArrayRef<int64_t> only = {});

  mlir::Type f32() { return builder.getF32Type(); }
  mlir::Type f64() { return builder.getF64Type(); }

private:
  template <typename Op> mlir::Value binary(Term a, Term b) {
    mlir::Type type = commonType(a, b);
    return Op::create(builder, loc, spread(a, type), spread(b, type));
  }
  mlir::Type commonType(const Term &a, const Term &b);
  mlir::Value spread(const Term &term, mlir::Type type);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_UPDATE_FORMULA_H
