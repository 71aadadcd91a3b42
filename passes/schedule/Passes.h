// Declarations of the schedule stage's passes.
#ifndef ORRERY_PASSES_SCHEDULE_PASSES_H
#define ORRERY_PASSES_SCHEDULE_PASSES_H

#include "dialects/rank/RankDialect.h"
#include "mlir/Pass/Pass.h"

namespace orrery::passes {
#define GEN_PASS_DECL
#include "passes/schedule/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "passes/schedule/Passes.h.inc"
} // namespace orrery::passes

#endif // ORRERY_PASSES_SCHEDULE_PASSES_H
