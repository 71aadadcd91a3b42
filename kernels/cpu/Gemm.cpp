// Matrix products over OpenBLAS.
#include "kernels/cpu/Gemm.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cblas.h>
#include <limits>
#include <omp.h>

namespace orrery::kernels {
namespace {

absl::Status checkSizes(const GemmArguments &g) {
  constexpr int64_t kLimit = std::numeric_limits<blasint>::max();
  if (std::max({g.m, g.n, g.k, g.lda, g.ldb, g.ldc}) > kLimit)
    return absl::OutOfRangeError(absl::StrCat(
        "gemm sizes are limited to ", kLimit, ", got m=", g.m, " n=", g.n,
        " k=", g.k, " lda=", g.lda, " ldb=", g.ldb, " ldc=", g.ldc));
  return absl::OkStatus();
}

void oneProduct(const GemmArguments &g, int64_t i) {
  cblas_sgemm(CblasRowMajor, g.transposeA ? CblasTrans : CblasNoTrans,
              g.transposeB ? CblasTrans : CblasNoTrans,
              static_cast<blasint>(g.m), static_cast<blasint>(g.n),
              static_cast<blasint>(g.k), static_cast<float>(g.alpha),
              static_cast<const float *>(g.a) + i * g.strideA,
              static_cast<blasint>(g.lda),
              static_cast<const float *>(g.b) + i * g.strideB,
              static_cast<blasint>(g.ldb), static_cast<float>(g.beta),
              static_cast<float *>(g.c) + i * g.strideC,
              static_cast<blasint>(g.ldc));
}

} // namespace

absl::Status gemm(ElementType type, const GemmArguments &arguments,
                  int threads) {
  if (type != ElementType::F32)
    return noSuchForm("gemm", type, "f32");
  if (absl::Status status = checkSizes(arguments); !status.ok())
    return status;
  const int64_t batch = arguments.batch;
  // Inside a parallel region OpenBLAS runs on the calling thread alone.
#pragma omp parallel for schedule(static)                                      \
    num_threads(threads) if (threads > 1 && batch >= threads && batch > 1)
  for (int64_t i = 0; i < batch; ++i)
    oneProduct(arguments, i);
  return absl::OkStatus();
}

void setGemmThreads(int threads) {
  // OpenBLAS's OpenMP build asks OpenMP anew at every product; a process that
  // started bound to one processor would else stay at one thread.
  omp_set_num_threads(threads);
  openblas_set_num_threads(threads);
}

} // namespace orrery::kernels
