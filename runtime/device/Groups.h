// The communicators of a plan.
#ifndef ORRERY_RUNTIME_DEVICE_GROUPS_H
#define ORRERY_RUNTIME_DEVICE_GROUPS_H

#include "absl/status/statusor.h"
#include "runtime/comm/Communicator.h"
#include "runtime/plan/RankPlan.h"

#include <memory>
#include <vector>

namespace orrery::runtime {

/// By index into Plan.communicators; null where the rank is in no group.
using Groups = std::vector<std::unique_ptr<Communicator>>;

/// Creates exactly the plan's communicators, in its order, on all ranks.
absl::StatusOr<Groups> createGroups(const RankPlan &rank,
                                    CommunicatorFactory &factory);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_GROUPS_H
