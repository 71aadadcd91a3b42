// The MPI back end's registration with the suite; run under mpirun. MPI calls
// are cut at 1000 elements, so that the suite takes the paths of counts beyond
// an int.
#include "runtime/comm/mpi/MpiWorld.h"
#include "test/runtime/comm/Conformance.h"

#include <gtest/gtest.h>

namespace orrery::runtime {

static MpiWorld *world = nullptr;

absl::Status onAllRanks(const RankBody &body) {
  absl::Status status = body(world->factory());
  // A rank that failed would leave the others waiting; all must agree.
  int32_t failed = !status.ok();
  absl::Status shared = world->factory().world().allReduce(
      &failed, &failed, 1, plan::I32, Reduction::Max);
  return status.ok() ? shared : status;
}

} // namespace orrery::runtime

int main(int argc, char **argv) {
  ::testing::InitGoogleTest(&argc, argv);
  auto started = orrery::runtime::MpiWorld::start(&argc, &argv, 1000);
  if (!started.ok()) {
    std::fprintf(stderr, "%s\n", started.status().ToString().c_str());
    return 1;
  }
  orrery::runtime::world = started->get();
  return RUN_ALL_TESTS();
}
