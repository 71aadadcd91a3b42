// All ranks take the same turn: either every one goes on, or every one stops,
// and one of them says why.
#ifndef ORRERY_RUNTIME_COMM_AGREEMENT_H
#define ORRERY_RUNTIME_COMM_AGREEMENT_H

#include "absl/status/status.h"
#include "runtime/comm/Communicator.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace orrery::runtime {

/// A collective over all ranks. Ok when every rank brings Ok. Else the failing
/// rank with the lowest number gets its own status back, to be shown, and every
/// other rank Cancelled, to be kept quiet. A rank that brings Cancelled, from
/// an agreement before, has failed, but leaves the word to one that has not.
absl::Status agree(Communicator &world, const absl::Status &mine);

/// Ok when every rank brings the same value; FailedPrecondition names the first
/// two ranks that differ and `what`.
absl::Status agreeOnValue(Communicator &world, uint64_t value,
                          std::string_view what);

/// A collective over all ranks, which bring equally many values: each becomes
/// the largest that a rank of the same `kind` brings.
absl::Status agreeOnLargest(Communicator &world, int64_t kind,
                            std::span<int64_t> values);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_AGREEMENT_H
