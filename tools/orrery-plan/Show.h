// What is in a plan, as text.
#ifndef ORRERY_TOOLS_ORRERY_PLAN_SHOW_H
#define ORRERY_TOOLS_ORRERY_PLAN_SHOW_H

#include "absl/status/statusor.h"
#include "runtime/plan/Plan.pb.h"

#include <string>

namespace orrery {

/// Job, mesh, communicators, kernels; per rank class parameters, peak bytes by
/// kind, programs, traffic of a step; the same summed over all ranks. Requires
/// a plan that passed checkPlan.
std::string describePlan(const plan::Plan &plan);

/// The first part: job, mesh, target, communicators, kernels.
std::string describeJob(const plan::Plan &plan);

/// The schedule of a step and the programs that `rank` runs, instruction by
/// instruction. OutOfRange when the mesh has no such rank. Requires a plan
/// that passed checkPlan.
absl::StatusOr<std::string> describeRank(const plan::Plan &plan, int64_t rank);

} // namespace orrery

#endif // ORRERY_TOOLS_ORRERY_PLAN_SHOW_H
