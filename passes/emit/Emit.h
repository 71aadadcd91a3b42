// The last stage: rank programs become the plan, one to one.
#ifndef ORRERY_PASSES_EMIT_EMIT_H
#define ORRERY_PASSES_EMIT_EMIT_H

#include "dialects/rank/RankDialect.h"
#include "passes/emit/kernel/KernelGen.h"
#include "runtime/plan/Plan.pb.h"

namespace orrery::passes {

/// Writes every rank class of `module` (behind rank-memory) and compiles the
/// generated kernels for `target`, a CPU's when `targetName` is "cpu" and a
/// GPU's when it is "sm_<n>". Emits errors at the ops that cannot be written.
mlir::FailureOr<plan::Plan> emitPlan(mlir::ModuleOp module,
                                     const job::JobSpec &job,
                                     llvm::StringRef targetName,
                                     const KernelTarget &target);

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_EMIT_H
