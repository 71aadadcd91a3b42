// Sums over rows of a matrix and over all elements of a flat value, on GPUs.
// Both take their sums in an order that sizes and alignment alone decide.
#ifndef ORRERY_KERNELS_CUDA_REDUCTIONS_H
#define ORRERY_KERNELS_CUDA_REDUCTIONS_H

#include "kernels/ElementType.h"
#include "kernels/FlatReduction.h"

#include <cuda_runtime_api.h>

namespace orrery::kernels::cuda {

constexpr int kMaxColumnSums = 4; // in one call

/// For each of the first `count` matrices of one shape:
/// out[c * outStride] (+)= sum over r of in[r * rowStride + c * columnStride].
/// No output overlaps another one or a matrix.
struct ColumnSumArguments {
  struct Sum {
    const void *in = nullptr;
    float *out = nullptr;
  };

  Sum sums[kMaxColumnSums];
  int count = 1;
  int64_t rows = 0, columns = 0;
  int64_t rowStride = 0, columnStride = 1;
  int64_t outStride = 1;
  bool accumulate = false;
};

/// Bytes that columnSum needs; at most 1 KiB a column of each of the `count`
/// matrices.
int64_t columnSumScratchBytes(int64_t rows, int64_t columns, int count = 1);

/// `type` is that of in: F32, F16 or BF16. At most 64 rows are summed in F32,
/// those sums in F64; a matrix's sums have the bits that they have alone. Fast
/// where columnStride is 1 and rows are multiples of 16 bytes apart and wide;
/// then one launch does all matrices that begin at multiples of 16 bytes, and
/// another the rest. Up to 2^31 - 1 columns. `scratch` is a multiple of 4.
/// cudaErrorInvalidValue if there are more columns or more matrices than that.
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
