// The local back end's registration with the suite, and its own promise: a
// failing rank ends the others.
#include "runtime/comm/local/LocalWorld.h"
#include "test/runtime/comm/Conformance.h"

#include <gtest/gtest.h>

namespace orrery::runtime {

absl::Status onAllRanks(const RankBody &body) {
  for (int ranks : {1, 2, 4})
    if (absl::Status status = runLocalRanks(ranks, body); !status.ok())
      return status;
  return absl::OkStatus();
}

TEST(LocalWorld, OneFailureEndsEveryRank) {
  absl::Status status = runLocalRanks(3, [](CommunicatorFactory &f) {
    if (f.rank() == 1)
      return absl::DataLossError("rank 1 gave up");
    return f.world().barrier();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "rank 1 gave up");
}

} // namespace orrery::runtime
