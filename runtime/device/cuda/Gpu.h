// The GPU of a rank.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_GPU_H
#define ORRERY_RUNTIME_DEVICE_CUDA_GPU_H

#include "absl/status/statusor.h"
#include "runtime/comm/nccl/LocalRank.h"

#include <array>
#include <cstdint>
#include <cuda_runtime_api.h>
#include <span>
#include <string>

namespace orrery::runtime::cuda {

/// The driver's UUID: no two GPUs of any hosts have the same.
using GpuId = std::array<int32_t, 4>;

struct Gpu {
  int device = 0;
  std::string name; // "NVIDIA H100 80GB HBM3"
  GpuId id = {};
};

/// Which of `visible` GPUs a rank takes: the one of its place on the host; the
/// only one, where a launcher shows each rank its own. FailedPrecondition:
/// there are fewer GPUs than ranks.
absl::StatusOr<int> chooseDevice(const LocalRank &local, int visible);

/// What counting GPUs fell over, and what to do. `driver`: the newest version
/// of CUDA that the driver is for, 1000 * major + 10 * minor; 0: there is none.
absl::Status whyNoGpu(cudaError_t error, int driver);

/// Makes the rank's GPU the calling thread's and creates its context. A
/// collective over `world`. FailedPrecondition: no GPU, or no driver for this
/// version of CUDA.
absl::StatusOr<Gpu> takeGpu(Communicator &world);

/// FailedPrecondition names the first two ranks that have one GPU: NCCL would
/// refuse them, or wait. `gpus`: by rank.
absl::Status checkDistinct(std::span<const GpuId> gpus);
/// The same for the GPUs of all ranks of `world`; a collective.
absl::Status checkApart(const Gpu &gpu, Communicator &world);

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_GPU_H
