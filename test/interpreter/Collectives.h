// Meaning of the collectives: all members' operands in, all results out.
#ifndef ORRERY_TEST_INTERPRETER_COLLECTIVES_H
#define ORRERY_TEST_INTERPRETER_COLLECTIVES_H

#include "test/interpreter/Evaluate.h"

namespace orrery::interpreter {

/// Whether `op` waits for other ranks of its axes.
bool isCollective(mlir::Operation *op);

/// The ranks that run collective `op` with `rank`, in the order of their
/// coordinates on its axes, major to minor. Just `rank` when `only` leaves it
/// out.
llvm::SmallVector<int64_t> groupOf(mlir::Operation *op, dfg::MeshAttr mesh,
                                   int64_t rank);

/// Result of `op` for each member of a group, from their operands in the same
/// order.
Tensors runCollective(mlir::Operation *op, Operands operands);

} // namespace orrery::interpreter

#endif // ORRERY_TEST_INTERPRETER_COLLECTIVES_H
