// Registration of the stages that are part of this build.
#ifndef ORRERY_TOOLS_ORRERYOPT_REGISTRATION_H
#define ORRERY_TOOLS_ORRERYOPT_REGISTRATION_H

#include "mlir/IR/DialectRegistry.h"

namespace orrery {

/// Registers the passes and pipelines of every stage library that is part of
/// the build, and the dialects that they produce.
void registerStages(mlir::DialectRegistry &registry);

} // namespace orrery

#endif // ORRERY_TOOLS_ORRERYOPT_REGISTRATION_H
