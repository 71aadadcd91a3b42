// Sums over rows of a matrix and over all elements of a flat value. Both take
// their sums in an order that depends on the sizes alone, so the bits do not
// depend on the number of threads.
#ifndef ORRERY_KERNELS_CPU_REDUCTIONS_H
#define ORRERY_KERNELS_CPU_REDUCTIONS_H

#include "absl/status/status.h"
#include "kernels/FlatReduction.h"
#include "kernels/cpu/ElementType.h"

#include <cstdint>

namespace orrery::kernels {

/// out[c * outStride] (+)= sum over r of in[r * rowStride + c * columnStride];
/// out is F32, `type` is that of in. Sums of 64 rows are taken in F32, sums of
/// those in F64.
absl::Status columnSum(ElementType type, const void *in, int64_t rows,
                       int64_t columns, int64_t rowStride, int64_t columnStride,
                       float *out, int64_t outStride, bool accumulate,
                       int threads);

/// *out = the reduction of `count` contiguous elements, accumulated in F64.
absl::Status flatReduce(FlatReduction reduction, ElementType type,
                        const void *in, int64_t count, double *out,
                        int threads);

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_CPU_REDUCTIONS_H
