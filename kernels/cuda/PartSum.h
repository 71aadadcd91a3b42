// Sums of the parts that members of a group sent, on GPUs.
#ifndef ORRERY_KERNELS_CUDA_PARTSUM_H
#define ORRERY_KERNELS_CUDA_PARTSUM_H

#include "kernels/ElementType.h"

#include <cstdint>
#include <cuda_runtime_api.h>

namespace orrery::kernels::cuda {

/// `count` elements of each of `parts` parts; part `own` is at `in`, the others
/// at received + part * distance (bytes).
struct PartSumArguments {
  const void *in = nullptr;
  const void *received = nullptr;
  int64_t distance = 0;
  int parts = 1;
  int own = 0;
  int64_t count = 0;
  void *out = nullptr; // may be `in`
  bool max = false;    // the largest in place of the sum
};

/// out[i] = sum over parts of part[i], in the order of the parts: floats of 16
/// and 32 bits are added in F32 and rounded once. F32, F16, BF16, F64, I32 and
/// I64; cudaErrorNotSupported for others.
cudaError_t partSum(ElementType type, const PartSumArguments &arguments,
                    cudaStream_t stream);

} // namespace orrery::kernels::cuda

#endif // ORRERY_KERNELS_CUDA_PARTSUM_H
