// Creating the plan's communicators.
#include "runtime/device/Groups.h"

namespace orrery::runtime {

absl::StatusOr<Groups> createGroups(const RankPlan &rank,
                                    CommunicatorFactory &factory) {
  Groups groups;
  for (const plan::Communicator &communicator : rank.plan->communicators())
    if (absl::Status status = factory.create(communicator.name(),
                                             rank.mesh.groupsOf(communicator),
                                             groups.emplace_back());
        !status.ok())
      return status;
  return groups;
}

} // namespace orrery::runtime
