// Random operands for measurements and tests: matrix products of zeros are
// faster than real ones.
#ifndef ORRERY_KERNELS_CUDA_RANDOMFILL_H
#define ORRERY_KERNELS_CUDA_RANDOMFILL_H

#include "kernels/ElementType.h"

#include <cuda_runtime_api.h>

namespace orrery::kernels::cuda {

/// `count` elements (F32, F16 or BF16), uniform in [-1, 1), a function of seed
/// and index. Not for training: see kernels/ref/Philox.h.
cudaError_t fillRandom(ElementType type, void *out, int64_t count,
                       uint64_t seed, cudaStream_t stream);

} // namespace orrery::kernels::cuda

#endif // ORRERY_KERNELS_CUDA_RANDOMFILL_H
