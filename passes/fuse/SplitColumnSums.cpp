// dfg-split-column-sums: gives sums over rows a first stage that fuses.
#include "passes/fuse/Passes.h"

namespace orrery::passes {
#define GEN_PASS_DEF_DFGSPLITCOLUMNSUMS
#include "passes/fuse/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery::dfg;

/// A sum over all dimensions but the last, of what a fusable op computes.
static bool isColumnSum(ReduceOp op) {
  int64_t rank = op.getOperand().getType().getRank();
  Operation *producer = op.getOperand().getDefiningOp();
  return op.getKind() == Reduction::Sum && rank > 1 && producer &&
         producer->hasTrait<Fusable>() &&
         op.getDims() ==
             ArrayRef(llvm::to_vector(llvm::seq<int64_t>(0, rank - 1))) &&
         isa<FloatType>(op.getType().getElementType());
}

static void split(ReduceOp op, int64_t parts) {
  OpBuilder builder(op);
  RankedTensorType type = op.getType();
  Type element = type.getElementType();
  bool narrow = element.getIntOrFloatBitWidth() < 32;
  Type wide = narrow ? builder.getF32Type() : element;
  auto keepLayer = [&](Operation *made) {
    if (Attribute layer = op->getAttr(kLayerAttr))
      made->setAttr(kLayerAttr, layer);
  };
  auto partial = PartialSumOp::create(
      builder, op.getLoc(),
      RankedTensorType::get({parts, type.getDimSize(0)}, wide),
      op.getOperand());
  keepLayer(partial);
  auto sum =
      ReduceOp::create(builder, op.getLoc(), type.clone(wide), Reduction::Sum,
                       partial.getResult(), ArrayRef<int64_t>{0});
  keepLayer(sum);
  Value result = sum.getResult();
  if (narrow) {
    auto cast = CastOp::create(builder, op.getLoc(), type, result);
    keepLayer(cast);
    result = cast.getResult();
  }
  op.replaceAllUsesWith(result);
  op.erase();
}

namespace {
struct DfgSplitColumnSums
    : public orrery::passes::impl::DfgSplitColumnSumsBase<DfgSplitColumnSums> {
  using DfgSplitColumnSumsBase::DfgSplitColumnSumsBase;

  void runOnOperation() override {
    getOperation().walk([&](ReduceOp op) {
      if (!isColumnSum(op))
        return;
      int64_t columns = op.getType().getDimSize(0);
      int64_t rows = op.getOperand().getType().getNumElements() / columns;
      int64_t parts =
          std::max<int64_t>(elements / columns / minParts, 1) * minParts;
      if (rows >= 4 * parts && columns <= maxColumns)
        split(op, parts);
    });
  }
};
} // namespace
