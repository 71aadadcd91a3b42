// Finding cuBLASLt's functions, and its errors as statuses.
#include "runtime/device/cuda/CublasLt.h"

#include "absl/strings/str_cat.h"
#include "runtime/device/cuda/SharedLibrary.h"

namespace orrery::runtime::cuda {
namespace {

absl::StatusOr<CublasLt> load() {
  absl::StatusOr<SharedLibrary> library = SharedLibrary::open(
      "cuBLASLt", {"libcublasLt.so.13", "libcublasLt.so.12"});
  if (!library.ok())
    return library.status();
  CublasLt blas;
  absl::Status status;
  auto find = [&](const char *name, auto &function) {
    status.Update(library->find(name, function));
  };
  find("cublasLtGetVersion", blas.getVersion);
  find("cublasLtGetStatusString", blas.getStatusString);
  find("cublasLtCreate", blas.create);
  find("cublasLtDestroy", blas.destroy);
  find("cublasLtMatmul", blas.matmul);
  find("cublasLtMatmulDescCreate", blas.matmulDescCreate);
  find("cublasLtMatmulDescDestroy", blas.matmulDescDestroy);
  find("cublasLtMatmulDescSetAttribute", blas.matmulDescSetAttribute);
  find("cublasLtMatrixLayoutCreate", blas.matrixLayoutCreate);
  find("cublasLtMatrixLayoutDestroy", blas.matrixLayoutDestroy);
  find("cublasLtMatrixLayoutSetAttribute", blas.matrixLayoutSetAttribute);
  find("cublasLtMatmulPreferenceCreate", blas.matmulPreferenceCreate);
  find("cublasLtMatmulPreferenceDestroy", blas.matmulPreferenceDestroy);
  find("cublasLtMatmulPreferenceSetAttribute",
       blas.matmulPreferenceSetAttribute);
  find("cublasLtMatmulAlgoGetHeuristic", blas.matmulAlgoGetHeuristic);
  find("cublasLtMatmulAlgoCheck", blas.matmulAlgoCheck);
  find("cublasLtMatmulAlgoCapGetAttribute", blas.matmulAlgoCapGetAttribute);
  find("cublasLtMatmulAlgoConfigGetAttribute",
       blas.matmulAlgoConfigGetAttribute);
  find("cublasLtMatmulAlgoConfigSetAttribute",
       blas.matmulAlgoConfigSetAttribute);
  if (!status.ok())
    return status;
  return blas;
}

} // namespace

absl::StatusOr<const CublasLt *> CublasLt::get() {
  static const absl::StatusOr<CublasLt> blas = load();
  if (!blas.ok())
    return blas.status();
  return &*blas;
}

absl::Status CublasLt::toStatus(cublasStatus_t status,
                                absl::string_view what) const {
  if (status == CUBLAS_STATUS_SUCCESS)
    return absl::OkStatus();
  std::string text = absl::StrCat(what, ": cuBLASLt: ", getStatusString(status),
                                  " (", static_cast<int>(status), ")");
  switch (status) {
  case CUBLAS_STATUS_ALLOC_FAILED:
    return absl::ResourceExhaustedError(text);
  case CUBLAS_STATUS_NOT_SUPPORTED:
  case CUBLAS_STATUS_ARCH_MISMATCH:
    return absl::UnimplementedError(text);
  default:
    return absl::InternalError(text);
  }
}

} // namespace orrery::runtime::cuda
