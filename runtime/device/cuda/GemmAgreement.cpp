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

// From the first to the last row.
absl::StatusOr<std::vector<float>>
rowsOf(PreparedGemm &gemm, const GemmOperands &operands, cudaStream_t stream) {
  const GemmProblem &problem = gemm.problem();
  GemmPointers at = operands.set(0);
  at.overwrite = true; // C has what earlier runs left there
  absl::Status status = gemm.run(at, operands.workspace(), stream);
  const int64_t bytes = kernels::elementBytes(problem.typeC);
  const int64_t rows = std::min(problem.m, kRows);
  const size_t row = static_cast<size_t>(problem.n * bytes);
  std::vector<std::byte> copied(static_cast<size_t>(rows) * row);
  for (int64_t i = 0; i < rows && status.ok(); ++i) {
    const int64_t number = rows > 1 ? i * (problem.m - 1) / (rows - 1) : 0;
    const int64_t from =
        (problem.batch - 1) * problem.strideC + number * problem.ldc;
    status =
        toStatus(cudaMemcpyAsync(copied.data() + static_cast<size_t>(i) * row,
                                 static_cast<std::byte *>(at.c) + from * bytes,
                                 row, cudaMemcpyDeviceToHost, stream),
                 "read a matrix product");
  }
  status.Update(
      toStatus(cudaStreamSynchronize(stream), "read a matrix product"));
  if (!status.ok())
    return status;
  std::vector<float> values;
  for (size_t at = 0; at < copied.size(); at += static_cast<size_t>(bytes))
    values.push_back(toFloat(problem.typeC, copied.data() + at));
  return values;
}

} // namespace

absl::StatusOr<bool> agree(PreparedGemm &one, PreparedGemm &other,
                           const GemmOperands &operands, cudaStream_t stream) {
  const absl::StatusOr<std::vector<float>> a = rowsOf(one, operands, stream),
                                           b = rowsOf(other, operands, stream);
  if (!a.ok() || !b.ok())
    return a.ok() ? b.status() : a.status();
  float largest = 0;
  for (float value : *a)
    largest = std::max(largest, std::abs(value));
  const double limit = toleranceOf(one.problem().typeC) * largest;
  return std::equal(a->begin(), a->end(), b->begin(),
                    [&](float x, float y) { return std::abs(x - y) <= limit; });
}

} // namespace orrery::runtime::cuda
