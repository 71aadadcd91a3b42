// Ranks as threads of one process: communicators for unit tests and for runs
// without MPI. Reductions go in the order of the members.
#ifndef ORRERY_RUNTIME_COMM_LOCAL_LOCALWORLD_H
#define ORRERY_RUNTIME_COMM_LOCAL_LOCALWORLD_H

#include "runtime/comm/Communicator.h"

#include <functional>
#include <memory>

namespace orrery::runtime {

/// Runs `body` on `ranks` threads, each with its factory, and returns the first
/// error in rank order that is not the echo of another rank's. A rank that
/// returns an error aborts the others.
absl::Status
runLocalRanks(int ranks,
              const std::function<absl::Status(CommunicatorFactory &)> &body);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_LOCAL_LOCALWORLD_H
