// Reverse-mode differentiation of one function.
#ifndef ORRERY_PASSES_DIFFERENTIATE_BACKWARD_H
#define ORRERY_PASSES_DIFFERENTIATE_BACKWARD_H

#include "dialects/dfg/DfgDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace orrery::passes {

/// Appends `dfg.begin_backward` and the gradients of `objective`, which lies
/// in the function's only block. The backward reads forward values wherever
/// it needs them. Fails at an op on the way that has no backward.
mlir::FailureOr<dfg::BeginBackwardOp>
appendBackward(mlir::func::FuncOp function, dfg::MetricOp objective);

/// Erases the ops behind `begin` whose results nothing uses.
void eraseDeadBackward(dfg::BeginBackwardOp begin);

} // namespace orrery::passes

#endif // ORRERY_PASSES_DIFFERENTIATE_BACKWARD_H
