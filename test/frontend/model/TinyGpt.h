// A GPT small enough for the interpreter, with parameters and a microbatch.
#ifndef ORRERY_TEST_FRONTEND_MODEL_TINYGPT_H
#define ORRERY_TEST_FRONTEND_MODEL_TINYGPT_H

#include "frontend/job/Job.pb.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "test/interpreter/Interpreter.h"

namespace orrery::test {

/// How the job is laid out; the model and the global microbatch of 4 samples
/// stay the same.
struct Layout {
  int pipeline = 1, data = 1, tensor = 1;
  bool sequenceParallel = false;
  int numRanks() const { return pipeline * data * tensor; }
};

/// L=2 h=8 n=2 f=12 s=4 V=16, dropout 0.2.
job::JobSpec tinyJob(Layout layout = {});

/// A module with the context that it lives in.
class TinyGpt {
public:
  /// Builds the model and runs `passes` on it; a test that goes on after a
  /// failure ends at a null module.
  TinyGpt(const job::JobSpec &job,
          llvm::function_ref<void(mlir::OpPassManager &)> passes);

  mlir::ModuleOp operator*() { return *module; }
  bool isBuilt() { return static_cast<bool>(module); }

private:
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// Values for every parameter of the job's model, by checkpoint name: norm
/// scales around 1, all others around 0. Equal for all layouts.
llvm::StringMap<interpreter::Tensor> tinyParameters(const job::JobSpec &job);

/// Tokens, labels, positions and a loss mask with holes, [4, 4].
llvm::StringMap<interpreter::Tensor> tinyInputs();

} // namespace orrery::test

#endif // ORRERY_TEST_FRONTEND_MODEL_TINYGPT_H
