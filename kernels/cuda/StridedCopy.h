// Copies between views of one shape, and fills views, on GPUs.
#ifndef ORRERY_KERNELS_CUDA_STRIDEDCOPY_H
#define ORRERY_KERNELS_CUDA_STRIDEDCOPY_H

#include "kernels/CopyPlan.h"
#include "kernels/ElementType.h"

#include <cuda_runtime_api.h>

namespace orrery::kernels::cuda {

/// out[i...] = in[i...]; the views must not overlap. Contiguous views are one
/// asynchronous copy; otherwise rows that are contiguous in both go in units of
/// up to 16 bytes, and the rest by element, in the order of the output's
/// memory.
cudaError_t stridedCopy(const CopyPlan &plan, const void *in, void *out,
                        cudaStream_t stream);

/// out[i...] = value, converted to `type`; uses plan.out.
cudaError_t stridedFill(const CopyPlan &plan, ElementType type, double value,
                        void *out, cudaStream_t stream);

} // namespace orrery::kernels::cuda

#endif // ORRERY_KERNELS_CUDA_STRIDEDCOPY_H
