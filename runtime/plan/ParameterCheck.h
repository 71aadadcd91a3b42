// Checks of buckets and parameters; parts of checkStructure (PlanCheck.h).
#ifndef ORRERY_RUNTIME_PLAN_PARAMETERCHECK_H
#define ORRERY_RUNTIME_PLAN_PARAMETERCHECK_H

#include "runtime/plan/Mesh.h"
#include "runtime/plan/Plan.pb.h"

#include "absl/status/status.h"

namespace orrery::runtime {

/// Buckets lie in buffers of the right kind and type; parameters divide evenly,
/// lie in their bucket and do not overlap. Requires checked buffers.
absl::Status checkParameters(const plan::RankClass &rankClass,
                             const Mesh &mesh);

/// Over all classes: every name has one shape and exactly one owning stage,
/// and every name with {layer} has all layers of the model.
absl::Status checkOwnership(const plan::Plan &plan);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_PARAMETERCHECK_H
