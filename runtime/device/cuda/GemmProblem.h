// What a matrix product on a GPU is, apart from where its operands lie.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_GEMMPROBLEM_H
#define ORRERY_RUNTIME_DEVICE_CUDA_GEMMPROBLEM_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kernels/ElementType.h"
#include "kernels/GemmEpilogue.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace orrery::runtime::cuda {

/// C = alpha * op(A) op(B) + beta * C, row-major, as in Plan.proto, message
/// Gemm: op(A) [m, k], op(B) [k, n]; leading dimensions and the strides of a
/// batch in elements. A and B are F32, F16 or BF16, C the same or F32. Bias [n]
/// and aux (shaped and laid out as C) are of C's type; the epilogues that take
/// them need beta = 0.
struct GemmProblem {
  kernels::ElementType type = kernels::ElementType::F32; // of A and B
  kernels::ElementType typeC = kernels::ElementType::F32;
  bool transposeA = false, transposeB = false;
  int64_t m = 1, n = 1, k = 1;
  int64_t lda = 1, ldb = 1, ldc = 1;
  int64_t batch = 1, strideA = 0, strideB = 0, strideC = 0;
  float alpha = 1, beta = 0;
  kernels::GemmEpilogue epilogue = kernels::GemmEpilogue::None;
  // Bytes that addresses are multiples of, see alignmentOf.
  int64_t alignA = 16, alignB = 16, alignC = 16;
  int64_t alignBias = 16, alignAux = 16; // 16 without such an operand

  /// Everything that the choice of an algorithm depends on, so not alpha, and
  /// of beta only whether it is 0:
  ///   "bf16 bf16 NT m 8192 n 3072 k 768 ld 768 768 3072 batch 1 0 0 0 beta 0
  ///    bias_gelu align 16 16 16 16 16"
  std::string key() const;
  /// The problem of a key, with alpha 1. InvalidArgument for other text.
  static absl::StatusOr<GemmProblem> fromKey(absl::string_view key);

  /// InvalidArgument for what is no problem: sizes, leading dimensions, types,
  /// alignments or an epilogue outside of what is said above.
  absl::Status check() const;

  bool operator==(const GemmProblem &) const = default;

  bool hasBias() const {
    return epilogue == kernels::GemmEpilogue::Bias ||
           epilogue == kernels::GemmEpilogue::BiasGelu;
  }
  bool hasAux() const {
    return epilogue == kernels::GemmEpilogue::BiasGelu ||
           epilogue == kernels::GemmEpilogue::GeluGrad;
  }
  double flops() const { return 2.0 * m * n * k * batch; }
  // Elements from an operand's first to behind its last.
  int64_t extentA() const {
    return extent(transposeA ? k : m, transposeA ? m : k, lda, strideA);
  }
  int64_t extentB() const {
    return extent(transposeB ? n : k, transposeB ? k : n, ldb, strideB);
  }
  int64_t extentC() const { return extent(m, n, ldc, strideC); }

private:
  int64_t extent(int64_t rows, int64_t columns, int64_t leading,
                 int64_t stride) const {
    return (batch - 1) * stride + (rows - 1) * leading + columns;
  }
};

/// The largest power of two, at most 16, that divides a byte address or offset:
/// what the library's fast forms ask for. Finer distinctions would only tune
/// one product several times.
constexpr int64_t alignmentOf(uint64_t address) {
  const uint64_t lowest = address & (~address + 1);
  return lowest == 0 ? 16 : std::min<int64_t>(16, lowest);
}

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_GEMMPROBLEM_H
