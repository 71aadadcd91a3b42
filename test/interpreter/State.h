// Meaning of the ops on what a rank remembers between runs.
#ifndef ORRERY_TEST_INTERPRETER_STATE_H
#define ORRERY_TEST_INTERPRETER_STATE_H

#include "test/interpreter/Interpreter.h"

namespace orrery::interpreter {

/// Runs `op` if it reads or writes state: results, or std::nullopt when it does
/// neither. Fails with a diagnostic at an op that names what is not there.
mlir::FailureOr<std::optional<Tensors>>
runStateOp(mlir::Operation *op, Operands operands, mlir::ModuleOp program,
           RankState &state, const llvm::StringMap<double> &scalars);

} // namespace orrery::interpreter

#endif // ORRERY_TEST_INTERPRETER_STATE_H
