// Declarations of the memory stage's pass.
#ifndef ORRERY_PASSES_MEMORY_PASSES_H
#define ORRERY_PASSES_MEMORY_PASSES_H

#include "dialects/rank/RankDialect.h"
#include "mlir/Pass/Pass.h"

namespace orrery::passes {
#define GEN_PASS_DECL
#include "passes/memory/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "passes/memory/Passes.h.inc"
} // namespace orrery::passes

#endif // ORRERY_PASSES_MEMORY_PASSES_H
