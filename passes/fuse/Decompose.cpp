// dfg-decompose: writes norms as elementwise ops and row reductions.
#include "passes/fuse/Passes.h"

namespace orrery::passes {
#define GEN_PASS_DEF_DFGDECOMPOSE
#include "passes/fuse/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery::dfg;

namespace {

/// Builds f32 arithmetic over the rows of `like`, in front of an op whose
/// layer all new ops take over.
class RowBuilder : private OpBuilder::Listener {
public:
  RowBuilder(Operation *op, Value like)
      : op(op), builder(op, this), full(floats(like)),
        row(full.clone(full.getShape().drop_back())) {}

  Value add(Value a, Value b) { return make<AddOp>(a, b); }
  Value sub(Value a, Value b) { return make<SubOp>(a, b); }
  Value mul(Value a, Value b) { return make<MulOp>(a, b); }
  Value rsqrt(Value a) { return make<RsqrtOp>(a); }

  /// `value` with elements of `type`'s element type.
  Value cast(Value value, Type type) {
    auto to = cast_or_null<RankedTensorType>(type);
    auto from = mlir::cast<RankedTensorType>(value.getType());
    if (from.getElementType() == to.getElementType())
      return value;
    return make<CastOp>(from.clone(to.getElementType()), value);
  }
  Value widen(Value value) { return cast(value, floats(value)); }

  /// One number for each row, or each column, repeated to the full shape.
  Value fromRows(Value value) {
    return make<BroadcastOp>(full, value, rowDims());
  }
  Value fromColumns(Value value) {
    return make<BroadcastOp>(full, widen(value),
                             SmallVector<int64_t>{row.getRank()});
  }

  /// Average of each row.
  Value average(Value value) {
    Value sum = make<ReduceOp>(row, Reduction::Sum, value,
                               SmallVector<int64_t>{row.getRank()});
    return mul(sum, constant(1.0 / full.getShape().back()));
  }
  Value columnSum(Value value) {
    return make<ReduceOp>(full.clone(full.getShape().take_back()),
                          Reduction::Sum, value, rowDims());
  }
  /// One number, the same for every row.
  Value constant(double value) {
    return make<ConstantOp>(row, builder.getF64FloatAttr(value));
  }

private:
  template <typename OpTy, typename... Args> Value make(Args &&...args) {
    return OpTy::create(builder, op->getLoc(), std::forward<Args>(args)...);
  }
  SmallVector<int64_t> rowDims() {
    return llvm::to_vector(llvm::seq<int64_t>(0, row.getRank()));
  }
  RankedTensorType floats(Value value) {
    return mlir::cast<RankedTensorType>(value.getType())
        .clone(builder.getF32Type());
  }
  void notifyOperationInserted(Operation *made,
                               OpBuilder::InsertPoint) override {
    for (NamedAttribute attribute : op->getDiscardableAttrs())
      if (attribute.getName() != kShardingAttr)
        made->setDiscardableAttr(attribute.getName(), attribute.getValue());
  }

  Operation *op;
  OpBuilder builder;
  RankedTensorType full, row;
};

} // namespace

static void decompose(LayerNormOp norm) {
  RowBuilder rows(norm, norm.getOperand());
  Value x = rows.widen(norm.getOperand());
  Value mean = rows.average(x);
  Value centred = rows.sub(x, rows.fromRows(mean));
  Value variance = rows.average(rows.mul(centred, centred));
  Value epsilon = rows.constant(norm.getEpsilon().convertToDouble());
  Value rstd = rows.rsqrt(rows.add(variance, epsilon));
  Value normal = rows.mul(centred, rows.fromRows(rstd));
  Value scaled = rows.mul(normal, rows.fromColumns(norm.getGamma()));
  Value result = rows.add(scaled, rows.fromColumns(norm.getBeta()));
  norm.replaceAllUsesWith(
      ValueRange{rows.cast(result, norm.getResult().getType()), mean, rstd});
  norm.erase();
}

static void decompose(LayerNormGradOp grad) {
  RowBuilder rows(grad, grad.getOperand());
  Value dy = rows.widen(grad.getGrad());
  Value rstd = rows.fromRows(grad.getRstd());
  Value x = rows.widen(grad.getOperand());
  Value centred = rows.sub(x, rows.fromRows(grad.getMean()));
  Value xhat = rows.mul(centred, rstd);
  Value scaled = rows.mul(dy, rows.fromColumns(grad.getGamma()));
  Value shift = rows.fromRows(rows.average(scaled));
  Value slope = rows.fromRows(rows.average(rows.mul(scaled, xhat)));
  Value shifted = rows.sub(scaled, shift);
  Value dx = rows.mul(rstd, rows.sub(shifted, rows.mul(xhat, slope)));
  auto sum = [&](Value product, Value result) {
    return rows.cast(rows.columnSum(product), result.getType());
  };
  dx = rows.cast(dx, grad.getGradOperand().getType());
  Value dgamma = sum(rows.mul(dy, xhat), grad.getGradGamma());
  Value dbeta = sum(dy, grad.getGradBeta());
  grad.replaceAllUsesWith(ValueRange{dx, dgamma, dbeta});
  grad.erase();
}

namespace {
struct DfgDecompose
    : public orrery::passes::impl::DfgDecomposeBase<DfgDecompose> {
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      if (auto norm = dyn_cast<LayerNormOp>(op))
        decompose(norm);
      else if (auto grad = dyn_cast<LayerNormGradOp>(op))
        decompose(grad);
    });
  }
};
} // namespace
