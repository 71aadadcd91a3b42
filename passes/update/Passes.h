// The update stage: what happens to parameters once a step.
#ifndef ORRERY_PASSES_UPDATE_PASSES_H
#define ORRERY_PASSES_UPDATE_PASSES_H

#include "dialects/dfg/DfgDialect.h"
#include "frontend/job/Job.pb.h"
#include "mlir/Pass/Pass.h"

namespace orrery::passes {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/update/Passes.h.inc"

/// The options of `dfg-update` that a job asks for.
DfgUpdateOptions getUpdateOptions(const job::JobSpec &job);

} // namespace orrery::passes

#endif // ORRERY_PASSES_UPDATE_PASSES_H
