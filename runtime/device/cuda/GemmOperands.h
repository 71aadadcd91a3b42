// Random operands of a matrix product, for measurements.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_GEMMOPERANDS_H
#define ORRERY_RUNTIME_DEVICE_CUDA_GEMMOPERANDS_H

#include "absl/status/statusor.h"
#include "runtime/device/cuda/Gemm.h"
#include "runtime/device/cuda/Memory.h"

#include <vector>

namespace orrery::runtime::cuda {

/// Several sets of operands, so that runs that take turns with them do not find
/// everything in the cache, and a workspace. Addresses have the alignment that
/// the problem states and no better.
class GemmOperands {
public:
  /// ResourceExhausted where not even one set fits the device's memory.
  static absl::StatusOr<GemmOperands> create(const GemmProblem &problem,
                                             int64_t workspaceBytes,
                                             cudaStream_t stream);

  const GemmPointers &set(size_t i) const { return sets[i % sets.size()]; }
  void *workspace() const { return memory.get(); }
  int64_t workspaceBytes() const { return workspaceSize; }

private:
  DeviceMemory memory;
  int64_t workspaceSize = 0;
  std::vector<GemmPointers> sets;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_GEMMOPERANDS_H
