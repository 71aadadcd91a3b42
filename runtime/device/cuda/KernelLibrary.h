// The generated kernels of a plan, loaded onto the current GPU.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_KERNELLIBRARY_H
#define ORRERY_RUNTIME_DEVICE_CUDA_KERNELLIBRARY_H

#include "absl/status/statusor.h"
#include "runtime/device/cuda/Memory.h"
#include "runtime/plan/Plan.pb.h"

#include <cstdint>
#include <vector>

namespace orrery::runtime::cuda {

/// Blocks to launch for `rows` rows: one for each `rowsPerBlock`, and no more
/// than kWaves times what the GPU holds at once (`resident`); blocks of a
/// capped grid go through the rows in turns. At least 1.
///   gridBlocks(1000, 4, 264) -> 250     gridBlocks(1 << 20, 4, 264) -> 2112
constexpr int64_t kWaves = 8;
int64_t gridBlocks(int64_t rows, int64_t rowsPerBlock, int64_t resident);

struct LoadedKernel {
  cudaKernel_t kernel = nullptr;
  uint32_t threads = 0;
  int64_t rowsPerBlock = 0;
  int64_t resident = 0; // blocks that the GPU holds at once
};

/// FailedPrecondition unless a GPU of compute capability major.minor runs the
/// target's code: `cubin` names like sm_90 run on their own major version with
/// at least their minor one, those with a suffix (sm_90a) on exactly their own;
/// PTX on everything from there on.
absl::Status checkTarget(const plan::Target &target, bool isPtx, int major,
                         int minor);

class KernelLibrary {
public:
  /// Checks the target, loads cubin or PTX and every kernel in it. Requires a
  /// plan whose checksum was verified: the object is code. NotFound: the
  /// object lacks a kernel. Internal: the driver refuses it, with its reason.
  static absl::StatusOr<KernelLibrary> load(const plan::Plan &plan);

  /// By index into Plan.kernels.
  const LoadedKernel &kernel(uint32_t index) const { return kernels[index]; }

private:
  Owned<cudaLibrary_t, cudaLibraryUnload> code;
  std::vector<LoadedKernel> kernels;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_KERNELLIBRARY_H
