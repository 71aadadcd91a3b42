// Checks of collectives and transfers; parts of checkInstructions
// (PlanCheck.h). Messages carry no place: the caller adds it.
#ifndef ORRERY_RUNTIME_PLAN_COMMUNICATIONCHECK_H
#define ORRERY_RUNTIME_PLAN_COMMUNICATIONCHECK_H

#include "runtime/plan/Mesh.h"
#include "runtime/plan/Plan.pb.h"

#include "absl/status/status.h"

namespace orrery::runtime {

/// Every rank of the class is in the communicator, and `out` has the shape
/// that the operation gives `in` in a group of its size.
absl::Status checkCollective(const plan::Plan &plan, const Mesh &mesh,
                             const plan::RankClass &rankClass,
                             const plan::Collective &op);

/// The communicator has the one axis pp, and every stage of the class has a
/// neighbour `delta` away.
absl::Status checkTransfer(const plan::Plan &plan, const Mesh &mesh,
                           const plan::RankClass &rankClass,
                           const plan::Transfer &op);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_COMMUNICATIONCHECK_H
