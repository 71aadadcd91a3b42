// rank-overlap-gradients: sums of gradients over replicas run beside the last
// backward.
#include "passes/schedule/Passes.h"
#include "passes/schedule/Place.h"

namespace orrery::passes {
#define GEN_PASS_DEF_RANKOVERLAPGRADIENTS
#include "passes/schedule/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery;
using passes::Place;

namespace {

bool touches(Operation &op, const Place &place) {
  return !isa<rank::ViewOp>(op) && llvm::any_of(op.getOperands(), [&](Value v) {
    return Place::of(v).overlaps(place);
  });
}

struct OverlapGradients
    : passes::impl::RankOverlapGradientsBase<OverlapGradients> {
  using RankOverlapGradientsBase::RankOverlapGradientsBase;

  void runOnOperation() override {
    for (auto rankClass : getOperation().getOps<rank::ClassOp>()) {
      SymbolTable symbols(rankClass);
      auto backward = symbols.lookup<rank::ProgramOp>("backward");
      auto update = symbols.lookup<rank::ProgramOp>("update");
      if (!backward || !update)
        continue;
      for (auto sum :
           llvm::make_early_inc_range(update.getOps<rank::CollectiveOp>()))
        if (canMove(sum, symbols))
          move(sum, backward);
    }
  }

  /// In place, of one gradient, over ranks of one stage, before anything else
  /// reads the gradient.
  bool canMove(rank::CollectiveOp sum, SymbolTable &symbols) {
    auto in = sum.getIn().getDefiningOp<rank::ViewOp>();
    auto out = sum.getOut().getDefiningOp<rank::ViewOp>();
    auto type = cast<MemRefType>(in.getType());
    if (sum.getKind() != rank::CollectiveKind::AllReduce ||
        in.getBuffer() != out.getBuffer() ||
        in.getOffset() != out.getOffset() || type.getRank() != 1 ||
        !type.getLayout().isIdentity() ||
        symbols.lookup<rank::BufferOp>(in.getBuffer()).getKind() !=
            rank::BufferKind::Gradient)
      return false;
    auto communicator = cast<rank::CommunicatorOp>(
        SymbolTable::lookupSymbolIn(getOperation(), sum.getCommunicatorAttr()));
    for (Attribute axis : communicator.getAxes())
      if (cast<StringAttr>(axis).getValue() == "pp")
        return false; // stages end their backward at different times
    Place gradient = Place::of(in);
    for (Operation &earlier : *sum->getBlock()) {
      if (&earlier == sum)
        break;
      if (touches(earlier, gradient))
        return false;
    }
    return true;
  }

  void move(rank::CollectiveOp sum, rank::ProgramOp backward) {
    auto view = sum.getIn().getDefiningOp<rank::ViewOp>();
    auto type = cast<MemRefType>(view.getType());
    int64_t elements = type.getNumElements();
    int64_t bytes = elements * type.getElementTypeBitWidth() / 8;
    int64_t pieces = std::max<int64_t>(1, llvm::divideCeil(bytes, pieceBytes));
    // Pieces of whole cache lines.
    int64_t size = llvm::alignTo(llvm::divideCeil(elements, pieces), 64);
    for (int64_t begin = 0; begin < elements; begin += size) {
      int64_t count = std::min(size, elements - begin);
      int64_t offset = static_cast<int64_t>(view.getOffset()) + begin;
      place(
          sum, backward,
          {view.getBufferAttr(), offset, {count}, {1}, type.getElementType()});
    }
    sum.erase();
  }

  /// Sums one piece behind the last instruction of `backward` that touches it.
  void place(rank::CollectiveOp sum, rank::ProgramOp backward,
             const Place &where) {
    Operation *last = nullptr;
    for (Operation &op : backward.getBody().front())
      if (!op.hasAttr(rank::kLastRunOnlyAttr) && touches(op, where))
        last = &op;
    OpBuilder builder(&getContext());
    if (last)
      builder.setInsertionPointAfter(last);
    else
      builder.setInsertionPointToStart(&backward.getBody().front());
    Value piece = rank::ViewOp::create(builder, sum.getLoc(), where.getType(),
                                       where.buffer.getValue(), where.offset);
    auto moved = rank::CollectiveOp::create(
        builder, sum.getLoc(), sum.getKind(), sum.getReduction(),
        sum.getCommunicator(), piece, piece, sum.getDim(), sum.getConcat());
    moved->setDiscardableAttrs(sum->getDiscardableAttrDictionary());
    moved->setAttr(rank::kLastRunOnlyAttr, builder.getUnitAttr());
    moved->setAttr(rank::kStreamAttr, builder.getI64IntegerAttr(1));
  }
};

} // namespace
