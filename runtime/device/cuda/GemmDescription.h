// A matrix product in cuBLASLt's words.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_GEMMDESCRIPTION_H
#define ORRERY_RUNTIME_DEVICE_CUDA_GEMMDESCRIPTION_H

#include "absl/status/statusor.h"
#include "runtime/device/cuda/CublasLt.h"
#include "runtime/device/cuda/GemmProblem.h"

#include <memory>

namespace orrery::runtime::cuda {

/// Operation and layouts of a product. The library is column-major: a row-major
/// matrix is, to it, its transpose. So it is asked for C^T = op(B)^T op(A)^T:
/// its first operand is B, its second A, m and n change places, the transposes
/// stay as they are, and a bias along n is one along its rows.
class GemmDescription {
public:
  /// `epilogue` is the problem's, or None for the product alone.
  static absl::StatusOr<GemmDescription> create(const CublasLt &blas,
                                                const GemmProblem &problem,
                                                kernels::GemmEpilogue epilogue,
                                                bool tf32);

  cublasLtMatmulDesc_t operation() const { return matmul.get(); }
  cublasLtMatrixLayout_t first() const { return b.get(); }
  cublasLtMatrixLayout_t second() const { return a.get(); }
  cublasLtMatrixLayout_t out() const { return c.get(); }

  /// Null for what the epilogue does not have.
  absl::Status setPointers(const void *bias, const void *aux);

private:
  template <typename Opaque>
  using Handle = std::unique_ptr<Opaque, cublasStatus_t (*)(Opaque *)>;
  using Layout = Handle<cublasLtMatrixLayoutOpaque_t>;

  explicit GemmDescription(const CublasLt &blas)
      : blas(&blas), matmul(nullptr, blas.matmulDescDestroy),
        a(nullptr, blas.matrixLayoutDestroy),
        b(nullptr, blas.matrixLayoutDestroy),
        c(nullptr, blas.matrixLayoutDestroy) {}

  template <typename Value>
  absl::Status set(cublasLtMatmulDescAttributes_t attribute, Value value);
  absl::Status setOperation(const GemmProblem &problem,
                            kernels::GemmEpilogue epilogue, bool tf32);
  absl::Status setLayout(Layout &layout, kernels::ElementType type,
                         int64_t rows, int64_t columns, int64_t leading,
                         int64_t batch, int64_t stride);

  const CublasLt *blas;
  Handle<cublasLtMatmulDescOpaque_t> matmul;
  Layout a, b, c;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_GEMMDESCRIPTION_H
