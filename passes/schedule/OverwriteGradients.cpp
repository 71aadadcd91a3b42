// rank-overwrite-gradients: the first product of a step to add to a gradient
// overwrites it.
#include "passes/schedule/Passes.h"
#include "passes/schedule/Place.h"

namespace orrery::passes {
#define GEN_PASS_DEF_RANKOVERWRITEGRADIENTS
#include "passes/schedule/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery;
using passes::Place;

namespace {

struct OverwriteGradients
    : passes::impl::RankOverwriteGradientsBase<OverwriteGradients> {
  void runOnOperation() override {
    for (auto rankClass : getOperation().getOps<rank::ClassOp>()) {
      SymbolTable symbols(rankClass);
      auto backward = symbols.lookup<rank::ProgramOp>("backward");
      if (!backward)
        continue;
      SmallVector<Place> touched; // parts of gradients
      if (auto forward = symbols.lookup<rank::ProgramOp>("forward"))
        for (Operation &op : forward.getBody().front())
          touch(op, symbols, touched);
      for (Operation &op : backward.getBody().front()) {
        if (auto gemm = dyn_cast<rank::GemmOp>(op);
            gemm && mayOverwrite(gemm, symbols, touched))
          gemm.setFirstRunOverwrites(true);
        touch(op, symbols, touched);
      }
    }
  }

  static bool isGradient(const Place &place, SymbolTable &symbols) {
    return symbols.lookup<rank::BufferOp>(place.buffer.getValue()).getKind() ==
           rank::BufferKind::Gradient;
  }

  static void touch(Operation &op, SymbolTable &symbols,
                    SmallVectorImpl<Place> &touched) {
    if (isa<rank::ViewOp>(op))
      return;
    for (Value operand : op.getOperands())
      if (Place place = Place::of(operand); isGradient(place, symbols))
        touched.push_back(std::move(place));
  }

  static bool mayOverwrite(rank::GemmOp gemm, SymbolTable &symbols,
                           ArrayRef<Place> touched) {
    Place c = Place::of(gemm.getC());
    return gemm.getBeta().isExactlyValue(1.0) &&
           !gemm->hasAttr(rank::kLastRunOnlyAttr) && isGradient(c, symbols) &&
           c.getEnd() - c.offset == c.getNumElements() &&
           llvm::none_of(touched, [&](const Place &earlier) {
             return earlier.overlaps(c);
           });
  }
};

} // namespace
