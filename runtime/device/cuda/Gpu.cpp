// Choosing a GPU and waking it.
#include "runtime/device/cuda/Gpu.h"

#include "absl/strings/str_cat.h"
#include "runtime/device/cuda/CudaStatus.h"

#include <cstdlib>
#include <mutex>

namespace orrery::runtime::cuda {
namespace {

// Streams share the driver's queues to the GPU, 8 of them unless told: a
// receive that waits at a queue's head would hold up the send behind it that
// another rank waits for.
void widenQueues() {
  static std::once_flag once;
  std::call_once(once, [] {
    setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", /*overwrite=*/0);
  });
}

} // namespace

absl::StatusOr<int> chooseDevice(const LocalRank &local, int visible) {
  if (local.rank < visible)
    return local.rank;
  if (visible == 1)
    return 0;
  return absl::FailedPreconditionError(
      absl::StrCat("this host has ", local.size, " ranks and ", visible,
                   " GPUs that they see; start at most one rank for each GPU"));
}

absl::StatusOr<Gpu> takeGpu(Communicator &world) {
  widenQueues();
  absl::StatusOr<LocalRank> local = findLocalRank(world);
  if (!local.ok())
    return local.status();
  int visible = 0;
  if (cudaError_t error = cudaGetDeviceCount(&visible); error != cudaSuccess)
    return absl::FailedPreconditionError(
        absl::StrCat("the plan is for GPUs, and CUDA finds none here: ",
                     cudaGetErrorString(error)));
  absl::StatusOr<int> device = chooseDevice(*local, visible);
  if (!device.ok())
    return device.status();
  cudaDeviceProp properties;
  cudaError_t error = cudaGetDeviceProperties(&properties, *device);
  if (error == cudaSuccess)
    error = cudaSetDevice(*device); // creates the context
  if (error == cudaSuccess)
    error = cudaFree(nullptr);
  if (error != cudaSuccess)
    return toStatus(error, absl::StrCat("cannot use GPU ", *device));
  return Gpu{*device, properties.name};
}

} // namespace orrery::runtime::cuda
