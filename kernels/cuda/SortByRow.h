// Sorting of tokens by the row that they name.
#ifndef ORRERY_KERNELS_CUDA_SORTBYROW_H
#define ORRERY_KERNELS_CUDA_SORTBYROW_H

#include <cstddef>
#include <cstdint>
#include <cuda_runtime_api.h>

namespace orrery::kernels::cuda {

struct RowsOfTokens {
  uint32_t *rows = nullptr;
  uint32_t *tokens = nullptr;
};

/// Sorts `count` pairs by row, those of one row in their order in `from`. Rows
/// are below 2^bits. With null `scratch` nothing runs and `scratchBytes` is set
/// to what is needed on the current device.
cudaError_t sortByRow(void *scratch, size_t &scratchBytes,
                      const RowsOfTokens &from, const RowsOfTokens &to,
                      int count, int bits, cudaStream_t stream);

} // namespace orrery::kernels::cuda

#endif // ORRERY_KERNELS_CUDA_SORTBYROW_H
