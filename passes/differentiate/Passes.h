// The differentiate stage: forward and loss become forward and backward.
#ifndef ORRERY_PASSES_DIFFERENTIATE_PASSES_H
#define ORRERY_PASSES_DIFFERENTIATE_PASSES_H

#include "dialects/dfg/DfgDialect.h"
#include "mlir/Pass/Pass.h"

namespace orrery::passes {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/differentiate/Passes.h.inc"

} // namespace orrery::passes

#endif // ORRERY_PASSES_DIFFERENTIATE_PASSES_H
