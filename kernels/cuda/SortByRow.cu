// Sorting by CUB's radix sort, which is stable.
#include "kernels/cuda/SortByRow.h"

#include <cub/device/device_radix_sort.cuh>

namespace orrery::kernels::cuda {

cudaError_t sortByRow(void *scratch, size_t &scratchBytes,
                      const RowsOfTokens &from, const RowsOfTokens &to,
                      int count, int bits, cudaStream_t stream) {
  return cub::DeviceRadixSort::SortPairs(scratch, scratchBytes, from.rows,
                                         to.rows, from.tokens, to.tokens, count,
                                         0, bits, stream);
}

} // namespace orrery::kernels::cuda
