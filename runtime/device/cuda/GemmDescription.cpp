// Descriptors of matrix products for cuBLASLt.
#include "runtime/device/cuda/GemmDescription.h"

#include "absl/strings/str_cat.h"

namespace orrery::runtime::cuda {
namespace {

using kernels::ElementType;
using kernels::GemmEpilogue;

cudaDataType_t dataType(ElementType type) {
  switch (type) {
  case ElementType::F16:
    return CUDA_R_16F;
  case ElementType::BF16:
    return CUDA_R_16BF;
  default:
    return CUDA_R_32F; // GemmProblem::check lets nothing else through
  }
}

cublasLtEpilogue_t epilogueOf(GemmEpilogue epilogue) {
  switch (epilogue) {
  case GemmEpilogue::Bias:
    return CUBLASLT_EPILOGUE_BIAS;
  case GemmEpilogue::BiasGelu:
    return CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
  case GemmEpilogue::GeluGrad:
    return CUBLASLT_EPILOGUE_DGELU;
  default:
    return CUBLASLT_EPILOGUE_DEFAULT;
  }
}

// Stands for an operand that only its alignment is known of: that is what the
// heuristic reads off an address.
const void *anAddress(int64_t alignment) {
  return reinterpret_cast<const void *>(alignment);
}

} // namespace

template <typename Value>
absl::Status GemmDescription::set(cublasLtMatmulDescAttributes_t attribute,
                                  Value value) {
  return blas->toStatus(blas->matmulDescSetAttribute(matmul.get(), attribute,
                                                     &value, sizeof(value)),
                        "describe a matrix product");
}

absl::Status GemmDescription::setOperation(const GemmProblem &problem,
                                           GemmEpilogue epilogue, bool tf32) {
  const bool fast = tf32 && problem.type == ElementType::F32;
  cublasLtMatmulDesc_t created = nullptr;
  absl::Status status = blas->toStatus(
      blas->matmulDescCreate(
          &created, fast ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
          CUDA_R_32F),
      "create the description of a matrix product");
  matmul.reset(created);
  auto transpose = [](bool yes) -> int32_t {
    return yes ? CUBLAS_OP_T : CUBLAS_OP_N;
  };
  if (status.ok())
    status = set(CUBLASLT_MATMUL_DESC_TRANSA, transpose(problem.transposeB));
  if (status.ok())
    status = set(CUBLASLT_MATMUL_DESC_TRANSB, transpose(problem.transposeA));
  if (status.ok())
    status = set(CUBLASLT_MATMUL_DESC_EPILOGUE,
                 static_cast<uint32_t>(epilogueOf(epilogue)));
  if (!status.ok() || epilogue == GemmEpilogue::None)
    return status;
  if (problem.hasAux()) {
    status = set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, problem.ldc);
    if (status.ok() && problem.batch > 1)
      status =
          set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, problem.strideC);
    if (!status.ok())
      return status;
  }
  return setPointers(problem.hasBias() ? anAddress(problem.alignBias) : nullptr,
                     problem.hasAux() ? anAddress(problem.alignAux) : nullptr);
}

absl::Status GemmDescription::setPointers(const void *bias, const void *aux) {
  absl::Status status;
  if (bias)
    status = set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  if (status.ok() && aux)
    status = set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, aux);
  return status;
}

absl::Status GemmDescription::setLayout(Layout &layout, ElementType type,
                                        int64_t rows, int64_t columns,
                                        int64_t leading, int64_t batch,
                                        int64_t stride) {
  // Row-major rows x columns are column-major columns x rows.
  cublasLtMatrixLayout_t created = nullptr;
  cublasStatus_t status = blas->matrixLayoutCreate(&created, dataType(type),
                                                   columns, rows, leading);
  layout.reset(created);
  const int32_t count = static_cast<int32_t>(batch);
  if (status == CUBLAS_STATUS_SUCCESS && batch > 1)
    status = blas->matrixLayoutSetAttribute(
        created, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count));
  if (status == CUBLAS_STATUS_SUCCESS && batch > 1)
    status = blas->matrixLayoutSetAttribute(
        created, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
        sizeof(stride));
  return blas->toStatus(status, "describe a matrix");
}

absl::StatusOr<GemmDescription> GemmDescription::create(const CublasLt &blas,
                                                        const GemmProblem &p,
                                                        GemmEpilogue epilogue,
                                                        bool tf32) {
  GemmDescription d(blas);
  absl::Status status = d.setOperation(p, epilogue, tf32);
  if (status.ok())
    status = d.setLayout(d.a, p.type, p.transposeA ? p.k : p.m,
                         p.transposeA ? p.m : p.k, p.lda, p.batch, p.strideA);
  if (status.ok())
    status = d.setLayout(d.b, p.type, p.transposeB ? p.n : p.k,
                         p.transposeB ? p.k : p.n, p.ldb, p.batch, p.strideB);
  if (status.ok())
    status = d.setLayout(d.c, p.typeC, p.m, p.n, p.ldc, p.batch, p.strideC);
  if (!status.ok())
    return absl::Status(status.code(), absl::StrCat("matrix product '", p.key(),
                                                    "': ", status.message()));
  return d;
}

} // namespace orrery::runtime::cuda
