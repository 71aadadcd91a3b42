// Whether two ways to compute a matrix product come to the same result.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_GEMMAGREEMENT_H
#define ORRERY_RUNTIME_DEVICE_CUDA_GEMMAGREEMENT_H

#include "absl/status/statusor.h"
#include "runtime/device/cuda/Gemm.h"
#include "runtime/device/cuda/GemmOperands.h"

namespace orrery::runtime::cuda {

/// Runs both, of one problem, with C overwritten, and compares 16 rows of C (of
/// a batch's last product) up to the order of sums: within 1/1000 of the
/// largest element, 1/64 where C has 16 bits. Waits for the stream.
absl::StatusOr<bool> agree(PreparedGemm &one, PreparedGemm &other,
                           const GemmOperands &operands, cudaStream_t stream);

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_GEMMAGREEMENT_H
