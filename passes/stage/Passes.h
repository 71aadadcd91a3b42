// The stage stage: one program per pipeline stage, equal ones shared.
#ifndef ORRERY_PASSES_STAGE_PASSES_H
#define ORRERY_PASSES_STAGE_PASSES_H

#include "dialects/dfg/DfgDialect.h"
#include "mlir/Pass/Pass.h"

namespace orrery::passes {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/stage/Passes.h.inc"

} // namespace orrery::passes

#endif // ORRERY_PASSES_STAGE_PASSES_H
