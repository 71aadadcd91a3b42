// The suite that every back end of the communicators passes. A back end gives
// a way to run a body on all ranks: threads here, mpirun's processes there.
#ifndef ORRERY_TEST_RUNTIME_COMM_CONFORMANCE_H
#define ORRERY_TEST_RUNTIME_COMM_CONFORMANCE_H

#include "runtime/comm/Communicator.h"

#include <functional>

namespace orrery::runtime {

/// What one rank does in a test; it fails by returning an error.
using RankBody = std::function<absl::Status(CommunicatorFactory &)>;

/// Defined by each back end's test: runs the body on all ranks.
absl::Status onAllRanks(const RankBody &body);

} // namespace orrery::runtime

#endif // ORRERY_TEST_RUNTIME_COMM_CONFORMANCE_H
