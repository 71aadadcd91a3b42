// One run of one function on all ranks.
#ifndef ORRERY_TEST_INTERPRETER_LOCKSTEP_H
#define ORRERY_TEST_INTERPRETER_LOCKSTEP_H

#include "test/interpreter/Interpreter.h"

#include "llvm/ADT/DenseMap.h"
#include <deque>
#include <map>

namespace orrery::interpreter {

/// Moves every rank forward until it waits for another, until all returned. A
/// rank waits at a collective until all members of its group stand at the same
/// one, and at a receive until something was sent.
class Lockstep {
public:
  Lockstep(Interpreter &owner, llvm::StringRef function,
           llvm::ArrayRef<Tensors> inputs)
      : owner(owner), function(function), inputs(inputs) {}

  /// Results per rank.
  mlir::FailureOr<llvm::SmallVector<Tensors>> run();

private:
  /// Where a rank stands, and its values so far.
  struct Cursor {
    mlir::Operation *next = nullptr; // null when it has returned
    llvm::DenseMap<mlir::Value, Tensor> values;
    Tensors results;
  };
  enum class Step { Done, Waits, Failed };

  mlir::LogicalResult begin();
  /// Executes the op at which `rank` stands.
  Step step(int64_t rank);
  Step stepCollective(int64_t rank, mlir::Operation *op);
  Step stepExchange(int64_t rank, mlir::Operation *op);
  void finish(int64_t rank, Tensors results);
  llvm::SmallVector<const Tensor *> operandsOf(int64_t rank);
  mlir::LogicalResult reportDeadlock();

  Interpreter &owner;
  llvm::StringRef function;
  llvm::ArrayRef<Tensors> inputs;
  llvm::SmallVector<Cursor, 0> cursors;
  /// Messages on the way, by (sender, receiver).
  std::map<std::pair<int64_t, int64_t>, std::deque<Tensor>> mail;
};

} // namespace orrery::interpreter

#endif // ORRERY_TEST_INTERPRETER_LOCKSTEP_H
