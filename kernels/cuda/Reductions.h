// Sums over rows of a matrix and over all elements of a flat value, on GPUs.
// Both take their sums in an order that sizes and alignment alone decide.
#ifndef ORRERY_KERNELS_CUDA_REDUCTIONS_H
#define ORRERY_KERNELS_CUDA_REDUCTIONS_H

#include "kernels/ElementType.h"
#include "kernels/FlatReduction.h"

#include <cuda_runtime_api.h>

namespace orrery::kernels::cuda {

/// out[c * outStride] (+)= sum over r of in[r * rowStride + c * columnStride].
struct ColumnSumArguments {
  const void *in = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t rowStride = 0, columnStride = 1;
  float *out = nullptr;
  int64_t outStride = 1;
  bool accumulate = false;
};

/// Bytes that columnSum needs; at most 1 KiB a column.
int64_t columnSumScratchBytes(int64_t rows, int64_t columns);

/// `type` is that of in: F32, F16 or BF16. At most 64 rows are summed in F32,
/// those sums in F64. Fast where columnStride is 1 and rows are multiples of 16
/// bytes apart and wide. Up to 2^31 - 1 columns. `scratch` is a multiple of 4.
cudaError_t columnSum(ElementType type, const ColumnSumArguments &arguments,
                      void *scratch, cudaStream_t stream);

/// Bytes that flatReduce needs.
constexpr int64_t kFlatReduceScratchBytes = 1024 * sizeof(double);

/// *out = the reduction of `count` contiguous elements of `type` (F32, F16 or
/// BF16), accumulated in F64; counts are exact. `scratch` is a multiple of 8.
cudaError_t flatReduce(FlatReduction reduction, ElementType type,
                       const void *in, int64_t count, double *out,
                       void *scratch, cudaStream_t stream);

} // namespace orrery::kernels::cuda

#endif // ORRERY_KERNELS_CUDA_REDUCTIONS_H
