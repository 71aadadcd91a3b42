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

/// Half as many parts again where three blocks of threads for rows of
/// `columns`, 16 bytes of 16-bit numbers a thread, fill a multiprocessor's
/// registers better than two. About 816 threads have enough.
static int64_t chooseParts(int64_t parts, int64_t columns) {
  constexpr int64_t kThreads = 816;
  int64_t row = llvm::alignTo(llvm::divideCeil(columns, 8), 32);
  auto filled = [&](int64_t blocks) {
    return kThreads / blocks / row * blocks * row;
  };
  return filled(3) > filled(2) ? parts * 3 / 2 : parts;
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
      int64_t own = chooseParts(parts, columns);
      if (rows >= 4 * own && columns <= maxColumns)
        split(op, own);
    });
  }
};
} // namespace
