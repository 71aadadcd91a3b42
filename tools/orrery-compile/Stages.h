// The compiler's stages in order, as one list.
#ifndef ORRERY_TOOLS_ORRERY_COMPILE_STAGES_H
#define ORRERY_TOOLS_ORRERY_COMPILE_STAGES_H

#include "frontend/job/Job.pb.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace orrery {

/// A stage between two states of the IR that `--dump-ir` shows.
struct Stage {
  std::string name;
  std::function<void(mlir::OpPassManager &)> addPasses;
};

/// What the backward finds kept; both trade memory for time.
struct Activations {
  /// Keep what computing again would take a pass over memory
  /// (dfg-differentiate).
  bool keepOperands = false;
  /// Of values gathered over tp keep the part, and gather again.
  bool gatherAgain = false;
};

/// Stages from the model's dataflow to rank programs, for one job:
/// differentiate, stage, shard, update, fuse, schedule, memory.
/// `target` is "cpu" or a GPU, `deviceMemory` the limit of one rank in bytes, 0
/// for none. `collectivePieces`: in so many pieces gathers and scatters of
/// sequence parallelism run beside products (rank-chunk-collectives), 0: by
/// themselves.
std::vector<Stage> getStages(const job::JobSpec &job, llvm::StringRef target,
                             int64_t deviceMemory,
                             const Activations &activations,
                             int64_t collectivePieces = 0);

/// Runs the stages on `module`. After each, its IR goes to
/// `dumpFolder`/<number>-<name>.mlir when that is not empty. Stops behind
/// `stopAfter` when that names a stage. The model itself is number 01. `enter`
/// is called in front of each stage, with its name.
mlir::LogicalResult runStages(mlir::ModuleOp module,
                              const std::vector<Stage> &stages,
                              const std::string &dumpFolder,
                              const std::string &stopAfter,
                              llvm::function_ref<void(llvm::StringRef)> enter);

} // namespace orrery

#endif // ORRERY_TOOLS_ORRERY_COMPILE_STAGES_H
