// Rows of two results, on the host.
#include "runtime/device/cuda/GemmAgreement.h"

#include "runtime/device/cuda/CudaStatus.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <vector>

namespace orrery::runtime::cuda {
namespace {

using kernels::ElementType;
using kernels::GemmEpilogue;

constexpr int64_t kRows = 16;

double toleranceOf(ElementType type) {
  return type == ElementType::F32 ? 1e-3 : 1.0 / 64;
}

template <typename T> float read(const std::byte *from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return static_cast<float>(value);
}

float toFloat(ElementType type, const std::byte *from) {
  switch (type) {
  case ElementType::F16:
    return read<__half>(from);
  case ElementType::BF16:
    return read<__nv_bfloat16>(from);
  default:
    return read<float>(from);
  }
}

using Rows = std::vector<std::byte>;

// Of a matrix laid out as C, from the first row to the last of the last product
// of a batch.
absl::Status readRows(const GemmProblem &problem, const void *matrix,
                      cudaStream_t stream, Rows &rows) {
  const int64_t bytes = kernels::elementBytes(problem.typeC);
  const int64_t count = std::min(problem.m, kRows);
  const size_t row = static_cast<size_t>(problem.n * bytes);
  absl::Status status;
  for (int64_t i = 0; i < count && status.ok(); ++i) {
    const int64_t number = count > 1 ? i * (problem.m - 1) / (count - 1) : 0;
    const int64_t from =
        (problem.batch - 1) * problem.strideC + number * problem.ldc;
    rows.resize(rows.size() + row);
    status = toStatus(
        cudaMemcpyAsync(rows.data() + rows.size() - row,
                        static_cast<const std::byte *>(matrix) + from * bytes,
                        row, cudaMemcpyDeviceToHost, stream),
        "read a matrix product");
    status.Update(
        toStatus(cudaStreamSynchronize(stream), "read a matrix product"));
  }
  return status;
}

// What `gemm` makes of C by `base`.
absl::StatusOr<Rows> rowsOf(PreparedGemm &base, PreparedGemm &gemm,
                            const GemmOperands &operands, cudaStream_t stream) {
  GemmPointers at = operands.set(0);
  at.overwrite = true;
  absl::Status status = base.run(at, operands.workspace(), stream);
  at.overwrite = false;
  if (status.ok())
    status = gemm.run(at, operands.workspace(), stream);
  Rows rows;
  if (status.ok())
    status = readRows(gemm.problem(), at.c, stream, rows);
  if (status.ok() && gemm.problem().epilogue == GemmEpilogue::BiasGelu)
    status = readRows(gemm.problem(), at.aux, stream, rows);
  if (!status.ok())
    return status;
  return rows;
}

std::vector<float> toFloats(ElementType type, const Rows &rows) {
  std::vector<float> values;
  const size_t bytes = static_cast<size_t>(kernels::elementBytes(type));
  for (size_t i = 0; i < rows.size(); i += bytes)
    values.push_back(toFloat(type, rows.data() + i));
  return values;
}

} // namespace

absl::StatusOr<bool> agree(PreparedGemm &one, PreparedGemm &other,
                           const GemmOperands &operands, cudaStream_t stream) {
  std::vector<Rows> results;
  for (PreparedGemm *gemm : {&one, &other, &other}) {
    absl::StatusOr<Rows> rows = rowsOf(one, *gemm, operands, stream);
    if (!rows.ok())
      return rows.status();
    results.push_back(*std::move(rows));
  }
  if (results[1] != results[2])
    return false;
  const ElementType type = one.problem().typeC;
  const std::vector<float> a = toFloats(type, results[0]),
                           b = toFloats(type, results[1]);
  float largest = 0;
  for (float value : a)
    largest = std::max(largest, std::abs(value));
  const double limit = toleranceOf(type) * largest;
  return std::equal(a.begin(), a.end(), b.begin(),
                    [&](float x, float y) { return std::abs(x - y) <= limit; });
}

} // namespace orrery::runtime::cuda
