// CUDA's errors as statuses.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_CUDASTATUS_H
#define ORRERY_RUNTIME_DEVICE_CUDA_CUDASTATUS_H

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include <cuda_runtime_api.h>

namespace orrery::runtime::cuda {

/// OK for cudaSuccess. ResourceExhausted: out of memory; else Internal.
///   toStatus(error, "copy of scalars") ->
///   "copy of scalars: invalid argument (cudaErrorInvalidValue)"
absl::Status toStatus(cudaError_t error, absl::string_view what);

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_CUDASTATUS_H
