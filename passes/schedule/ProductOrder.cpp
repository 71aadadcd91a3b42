// Products against what stands behind them, by the bytes that they touch.
#include "passes/schedule/ProductOrder.h"

#include "passes/schedule/Place.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery;
using passes::Place;

/// What an instruction writes; all of its operands where that is not known.
static SmallVector<Value> writtenBy(Operation *op) {
  return TypeSwitch<Operation *, SmallVector<Value>>(op)
      .Case([](rank::LaunchOp launch) {
        return SmallVector<Value>(launch.getOutputs());
      })
      .Case([](rank::GemmOp gemm) {
        SmallVector<Value> written = {gemm.getC()};
        if (gemm.getEpilogue() == rank::Epilogue::BiasGelu)
          written.push_back(gemm.getAux());
        return written;
      })
      .Case([](rank::AttentionOp attention) {
        return SmallVector<Value>{attention.getO(), attention.getLse()};
      })
      .Case([](rank::AttentionGradOp grad) {
        return SmallVector<Value>{grad.getGradQ(), grad.getGradK(),
                                  grad.getGradV()};
      })
      .Case<rank::ColumnSumOp, rank::CollectiveOp, rank::CopyOp>(
          [](auto reads) { return SmallVector<Value>{reads.getOut()}; })
      .Default([](Operation *other) {
        return SmallVector<Value>(other->getOperands());
      });
}

bool passes::mayFollow(rank::GemmOp gemm, Operation *op) {
  if (isa<rank::ViewOp>(op))
    return true;
  for (Value operand : op->getOperands())
    if (Place::of(operand).overlaps(Place::of(gemm.getC())))
      return false;
  for (Value written : writtenBy(op))
    for (Value read : gemm->getOperands())
      if (Place::of(written).overlaps(Place::of(read)))
        return false;
  return true;
}
