// Whether two ways to compute a matrix product come to the same result.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_GEMMAGREEMENT_H
#define ORRERY_RUNTIME_DEVICE_CUDA_GEMMAGREEMENT_H

#include "absl/status/statusor.h"
#include "runtime/device/cuda/Gemm.h"
#include "runtime/device/cuda/GemmOperands.h"

namespace orrery::runtime::cuda {

/// Whether `other` computes what `one`, of the same problem, does, and the same
/// bits in two runs: 16 rows of C, and of aux where it is written, are compared
/// up to the order of sums, within 1/1000 of the largest element, 1/64 where C
/// has 16 bits. C begins as alpha A B by `one`, so that beta matters. Waits for
/// the stream.
absl::StatusOr<bool> agree(PreparedGemm &one, PreparedGemm &other,
                           const GemmOperands &operands, cudaStream_t stream);

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_GEMMAGREEMENT_H
