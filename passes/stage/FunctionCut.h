// Cuts a function into the parts that the pipeline stages run.
#ifndef ORRERY_PASSES_STAGE_FUNCTIONCUT_H
#define ORRERY_PASSES_STAGE_FUNCTIONCUT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/stage/StageLayout.h"
#include "llvm/ADT/SetVector.h"

namespace orrery::passes {

/// One function seen as a chain of stages:
///
///   forward   stage 0 ──y₀──▶ stage 1 ──y₁──▶ stage 2
///   backward  stage 0 ◀─dy₀── stage 1 ◀─dy₁── stage 2
class FunctionCut {
public:
  /// Emits an error at a value that goes another way.
  static mlir::FailureOr<FunctionCut> get(mlir::func::FuncOp function,
                                          const StageLayout &layout);

  /// Appends the part of `stage`: its ops with layers counted from its first,
  /// and messages at the ends. Returns the new function.
  mlir::func::FuncOp buildStage(int64_t stage, mlir::OpBuilder &builder,
                                const mlir::SymbolTable &parameters);

private:
  using Values = llvm::SmallSetVector<mlir::Value, 2>;
  /// What one stage runs in one direction.
  struct Part {
    llvm::SmallVector<mlir::Operation *> ops;
    Values sent; // to the next stage in this direction
  };

  FunctionCut(mlir::func::FuncOp function, const StageLayout &layout)
      : function(function), layout(layout), forward(layout.numStages),
        backward(layout.numStages) {}
  mlir::LogicalResult assign();
  mlir::LogicalResult checkOperands(mlir::Operation *op);
  bool isBackward(mlir::Operation *op);
  void buildPart(int64_t stage, bool isBackward, mlir::OpBuilder &builder,
                 const mlir::SymbolTable &parameters, mlir::IRMapping &values);
  mlir::func::FuncOp buildSignature(int64_t stage, mlir::OpBuilder &builder,
                                    mlir::IRMapping &values);

  mlir::func::FuncOp function;
  StageLayout layout;
  dfg::BeginBackwardOp begin;
  std::vector<Part> forward, backward; // per stage
};

/// Makes layer indices and parameter names of `op` count from `firstLayer`.
void makeRelative(mlir::Operation *op, int64_t firstLayer,
                  const mlir::SymbolTable &parameters);

} // namespace orrery::passes

#endif // ORRERY_PASSES_STAGE_FUNCTIONCUT_H
