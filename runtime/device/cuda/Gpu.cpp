// Choosing a GPU and waking it.
#include "runtime/device/cuda/Gpu.h"

#include "absl/strings/str_cat.h"
#include "runtime/device/cuda/CudaStatus.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace orrery::runtime::cuda {
namespace {

// Streams share the driver's queues to the GPU, 8 of them unless told: a
// receive that waits at a queue's head would hold up the send behind it that
// another rank waits for. Scripts for Megatron-LM set 1, for an order of
// launches that a plan's steps do not rely on.
void widenQueues() {
  static std::once_flag once;
  std::call_once(once, [] {
    setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", /*overwrite=*/1);
  });
}

std::string versionText(int version) {
  return absl::StrCat(version / 1000, ".", version % 1000 / 10);
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

absl::Status whyNoGpu(cudaError_t error, int driver) {
  std::string why = cudaGetErrorString(error);
  if (error == cudaErrorInsufficientDriver && driver > 0)
    return absl::FailedPreconditionError(absl::StrCat(
        "the NVIDIA driver of this machine is for CUDA ", versionText(driver),
        " at most, orrery-run needs one for CUDA ", versionText(CUDART_VERSION),
        "; update the driver"));
  if (error == cudaErrorInsufficientDriver) {
    why = "this machine has no NVIDIA driver";
  } else if (error == cudaErrorNoDevice) {
    why = "the NVIDIA driver shows no GPU";
    if (const char *shown = getenv("CUDA_VISIBLE_DEVICES"))
      absl::StrAppend(&why, ", with CUDA_VISIBLE_DEVICES='", shown, "'");
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the plan is for GPUs, and none is found: ", why,
                   "; run it on a machine with a GPU for each rank, or compile "
                   "the job with --target=cpu, in float32"));
}

absl::StatusOr<Gpu> takeGpu(Communicator &world) {
  widenQueues();
  absl::StatusOr<LocalRank> local = findLocalRank(world);
  if (!local.ok())
    return local.status();
  int visible = 0;
  if (cudaError_t error = cudaGetDeviceCount(&visible); error != cudaSuccess) {
    int driver = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess)
      driver = 0;
    return whyNoGpu(error, driver);
  }
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
  Gpu gpu{*device, properties.name, {}};
  static_assert(sizeof(gpu.id) == sizeof(properties.uuid));
  std::memcpy(gpu.id.data(), &properties.uuid, sizeof(gpu.id));
  return gpu;
}

absl::Status checkDistinct(std::span<const GpuId> gpus) {
  std::map<GpuId, size_t> ranks;
  for (size_t rank = 0; rank < gpus.size(); ++rank)
    if (auto [first, added] = ranks.emplace(gpus[rank], rank); !added)
      return absl::FailedPreconditionError(absl::StrCat(
          "ranks ", first->second, " and ", rank,
          " have the same GPU; start at most one rank for each GPU"));
  return absl::OkStatus();
}

absl::Status checkApart(const Gpu &gpu, Communicator &world) {
  std::vector<GpuId> gpus(static_cast<size_t>(world.size()));
  if (absl::Status status =
          world.allGather(gpu.id.data(), gpus.data(), gpu.id.size(), plan::I32);
      !status.ok())
    return status;
  return checkDistinct(gpus);
}

} // namespace orrery::runtime::cuda
