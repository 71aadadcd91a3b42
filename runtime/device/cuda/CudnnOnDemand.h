// cuDNN, opened when an instruction first has a use for it.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_CUDNNONDEMAND_H
#define ORRERY_RUNTIME_DEVICE_CUDA_CUDNNONDEMAND_H

#include "absl/strings/str_cat.h"
#include "runtime/device/cuda/CudnnAttention.h"

#include <algorithm>
#include <memory>
#include <string>

namespace orrery::runtime::cuda {

class CudnnOnDemand {
public:
  /// Before get(). Larger parts of a deterministic gradient are faster, so that
  /// it gets `spare` bytes, and 1 GiB at least.
  void configure(bool deterministic, int64_t spare) {
    options.deterministic = deterministic;
    options.matrixBytes = std::max(options.matrixBytes, spare);
  }

  /// Null where cuDNN cannot be used; why() says the reason.
  CudnnAttention *get() {
    if (!tried) {
      tried = true;
      absl::StatusOr<std::unique_ptr<CudnnAttention>> opened =
          CudnnAttention::create(options);
      if (opened.ok())
        cudnn = *std::move(opened);
      else
        reason = std::string(opened.status().message());
    }
    return cudnn.get();
  }

  void count(bool fused) { ++(fused ? fusedCount : ownCount); }

  /// "attention: 24 of 24 by cuDNN 9.19.0"; empty without attention.
  std::string text() const {
    const int all = fusedCount + ownCount;
    if (all == 0)
      return "";
    std::string text =
        absl::StrCat("attention: ", fusedCount, " of ", all,
                     " instructions by ", cudnn ? cudnn->name() : "cuDNN");
    if (!reason.empty())
      absl::StrAppend(&text, " (", reason, ")");
    return text;
  }

private:
  CudnnOptions options;
  bool tried = false;
  std::unique_ptr<CudnnAttention> cudnn;
  std::string reason;
  int fusedCount = 0, ownCount = 0; // instructions of each
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_CUDNNONDEMAND_H
