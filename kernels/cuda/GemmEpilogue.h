// Epilogues of matrix products as kernels of their own, for products whose
// library form has none (Plan.proto, message Gemm).
#ifndef ORRERY_KERNELS_CUDA_GEMMEPILOGUE_H
#define ORRERY_KERNELS_CUDA_GEMMEPILOGUE_H

#include "kernels/ElementType.h"
#include "kernels/GemmEpilogue.h"

#include <cuda_runtime_api.h>

namespace orrery::kernels::cuda {

/// `batch` matrices c [m, n], rows ldc and matrices strideC apart; bias [n] and
/// aux (as c) where the epilogue has them; all of one type.
struct GemmEpilogueArguments {
  void *c = nullptr;
  const void *bias = nullptr;
  void *aux = nullptr;
  int64_t m = 0, n = 0, ldc = 0;
  int64_t batch = 1, strideC = 0;
};

/// Reads the product x from c and writes what the epilogue makes of it. In 16
/// bits x is rounded once more than in a fused epilogue. `type` is F32, F16 or
/// BF16; fewer than 2^31 rows over all matrices.
cudaError_t gemmEpilogue(GemmEpilogue epilogue, ElementType type,
                         const GemmEpilogueArguments &arguments,
                         cudaStream_t stream);

} // namespace orrery::kernels::cuda

#endif // ORRERY_KERNELS_CUDA_GEMMEPILOGUE_H
