// The functions of cuBLASLt, found when a plan for GPUs runs.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_CUBLASLT_H
#define ORRERY_RUNTIME_DEVICE_CUDA_CUBLASLT_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <cublasLt.h>
#include <optional>

namespace orrery::runtime::cuda {

/// Named as in cublasLt.h, without the prefix. A plain table, so that tests can
/// fill in functions of their own.
struct CublasLt {
  decltype(&cublasLtGetVersion) getVersion = nullptr;
  decltype(&cublasLtGetStatusString) getStatusString = nullptr;
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtDestroy) destroy = nullptr;
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtMatmulDescCreate) matmulDescCreate = nullptr;
  decltype(&cublasLtMatmulDescDestroy) matmulDescDestroy = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) matmulDescSetAttribute = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) matrixLayoutCreate = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) matrixLayoutDestroy = nullptr;
  decltype(&cublasLtMatrixLayoutSetAttribute) matrixLayoutSetAttribute =
      nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) matmulPreferenceCreate = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) matmulPreferenceDestroy = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) matmulPreferenceSetAttribute =
      nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) matmulAlgoGetHeuristic = nullptr;
  decltype(&cublasLtMatmulAlgoCheck) matmulAlgoCheck = nullptr;
  decltype(&cublasLtMatmulAlgoCapGetAttribute) matmulAlgoCapGetAttribute =
      nullptr;
  decltype(&cublasLtMatmulAlgoConfigGetAttribute) matmulAlgoConfigGetAttribute =
      nullptr;
  decltype(&cublasLtMatmulAlgoConfigSetAttribute) matmulAlgoConfigSetAttribute =
      nullptr;

  /// A setting of an algorithm; nothing where the library does not say.
  template <typename Value>
  std::optional<Value>
  config(const cublasLtMatmulAlgo_t &algorithm,
         cublasLtMatmulAlgoConfigAttributes_t attribute) const {
    Value value = {};
    size_t written = 0;
    if (matmulAlgoConfigGetAttribute(&algorithm, attribute, &value,
                                     sizeof(value),
                                     &written) != CUBLAS_STATUS_SUCCESS)
      return std::nullopt;
    return value;
  }

  /// Opened once in a process. NotFound where there is no such library, or one
  /// without some function.
  static absl::StatusOr<const CublasLt *> get();

  /// Ok for success; ResourceExhausted when the library could not allocate,
  /// Unimplemented for what it does not support, else Internal:
  ///   "matrix product …: cuBLASLt: an unsupported value … (7)"
  absl::Status toStatus(cublasStatus_t status, absl::string_view what) const;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_CUBLASLT_H
