// Which of a host's GPUs a rank takes.
#ifndef ORRERY_RUNTIME_COMM_NCCL_LOCALRANK_H
#define ORRERY_RUNTIME_COMM_NCCL_LOCALRANK_H

#include "absl/status/statusor.h"
#include "runtime/comm/Communicator.h"

#include <span>
#include <string>

namespace orrery::runtime {

/// Place among the ranks of one host, in the order of their world ranks.
struct LocalRank {
  int rank = 0;
  int size = 1;
};

/// `hosts[r]`: the host of world rank r; `self` is one of them.
LocalRank localRankAmong(std::span<const std::string> hosts, int self);

/// Gathers the names of all hosts; called by all ranks of `world`.
absl::StatusOr<LocalRank> findLocalRank(Communicator &world);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_NCCL_LOCALRANK_H
