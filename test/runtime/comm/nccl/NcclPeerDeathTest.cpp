// A rank that is killed while others wait for it on their GPUs ends the job;
// run under mpirun with two ranks. CTest looks at the time and for the line
// that one of them prints.
#include "runtime/comm/mpi/MpiWorld.h"
#include "runtime/comm/nccl/LocalRank.h"
#include "runtime/comm/nccl/NcclWorld.h"

#include <csignal>
#include <cstdio>
#include <unistd.h>

using namespace orrery::runtime;
namespace plan = orrery::plan;

namespace {

absl::Status cuda(cudaError_t error) {
  return error == cudaSuccess ? absl::OkStatus()
                              : absl::InternalError(cudaGetErrorString(error));
}

// Whether every rank has a GPU; it is current then.
absl::StatusOr<bool> takeDevice(Communicator &world) {
  absl::StatusOr<LocalRank> local = findLocalRank(world);
  if (!local.ok())
    return local.status();
  int devices = 0;
  int32_t missing = cudaGetDeviceCount(&devices) != cudaSuccess ||
                    devices < local->size || world.size() != 2;
  if (absl::Status status =
          world.allReduce(&missing, &missing, 1, plan::I32, Reduction::Max);
      !status.ok())
    return status;
  if (missing)
    return false;
  if (absl::Status status = cuda(cudaSetDevice(local->rank)); !status.ok())
    return status;
  return true;
}

// Rank 1 dies instead of taking part in the second sum.
absl::Status waitForADeadRank(Communicator &world) {
  NcclWorld nccl;
  absl::StatusOr<DeviceGroup> group = nccl.createGroup(world);
  if (!group.ok())
    return group.status();
  void *memory = nullptr;
  cudaStream_t stream = nullptr;
  cudaEvent_t done = nullptr;
  const int64_t count = 1 << 24;
  absl::Status status = cuda(cudaMalloc(&memory, count * 4));
  status.Update(
      cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking)));
  status.Update(cuda(cudaEventCreateWithFlags(&done, cudaEventDisableTiming)));
  for (int sum = 0; sum < 2 && status.ok(); ++sum) {
    if (sum == 1 && world.rank() == 1) {
      std::printf("rank 1 ends itself\n");
      std::fflush(stdout);
      sleep(1); // mpirun passes the line on meanwhile
      raise(SIGKILL);
    }
    status.Update(group->allReduce(memory, memory, count, plan::F32,
                                   Reduction::Sum, stream));
    status.Update(cuda(cudaEventRecord(done, stream)));
    status.Update(nccl.wait(done));
  }
  return status.ok() ? absl::InternalError("summed with a dead rank") : status;
}

} // namespace

int main(int argc, char **argv) {
  auto started = MpiWorld::start(&argc, &argv);
  if (!started.ok()) {
    std::fprintf(stderr, "%s\n", started.status().ToString().c_str());
    return 1;
  }
  CommunicatorFactory &factory = (*started)->factory();
  absl::StatusOr<bool> taken = takeDevice(factory.world());
  absl::Status status = taken.status();
  if (taken.ok() && *taken)
    status = waitForADeadRank(factory.world());
  else if (taken.ok() && factory.rank() == 0)
    std::printf("skipped: fewer GPUs than ranks\n");
  if (!status.ok())
    factory.abort(status);
  return 0;
}
