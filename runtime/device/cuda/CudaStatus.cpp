// Texts and codes.
#include "runtime/device/cuda/CudaStatus.h"

#include "absl/strings/str_cat.h"

namespace orrery::runtime::cuda {

absl::Status toStatus(cudaError_t error, absl::string_view what) {
  if (error == cudaSuccess)
    return absl::OkStatus();
  const absl::StatusCode code = error == cudaErrorMemoryAllocation
                                    ? absl::StatusCode::kResourceExhausted
                                    : absl::StatusCode::kInternal;
  return absl::Status(code, absl::StrCat(what, ": ", cudaGetErrorString(error),
                                         " (", cudaGetErrorName(error), ")"));
}

} // namespace orrery::runtime::cuda
