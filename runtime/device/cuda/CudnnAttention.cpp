// What cuDNN's attention is asked for, with or without cuDNN.
#include "runtime/device/cuda/CudnnAttention.h"

#include <algorithm>

namespace orrery::runtime::cuda {
namespace {

int64_t roundUp(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

// The largest divisor of `whole` that is at most `limit`, 1 at least.
int64_t divisorUpTo(int64_t whole, int64_t limit) {
  int64_t divisor = std::max<int64_t>(1, std::min(whole, limit));
  while (whole % divisor != 0)
    --divisor;
  return divisor;
}

} // namespace

CudnnPart gradientPart(const kernels::AttentionShape &shape,
                       const CudnnOptions &options) {
  const CudnnPart whole = {shape.batch, shape.heads};
  if (!options.deterministic)
    return whole;
  const int64_t matrix =
      roundUp(shape.sequence, 64) * roundUp(shape.sequence, 128) * 2;
  const int64_t matrices = options.matrixBytes / matrix;
  // A part's lse starts at a multiple of 16 bytes.
  if (matrices < shape.heads && shape.sequence % 4 == 0)
    return {1, divisorUpTo(shape.heads, matrices)};
  if (shape.heads * shape.sequence % 4 == 0)
    return {divisorUpTo(shape.batch, matrices / shape.heads), shape.heads};
  return whole;
}

bool CudnnAttention::supports(
    kernels::ElementType type, const kernels::AttentionShape &shape,
    std::initializer_list<kernels::AttentionTensor> tensors) {
  if (type != kernels::ElementType::F16 && type != kernels::ElementType::BF16)
    return false;
  if (shape.dropout > 0 || shape.documentStart || shape.documentStrideS != 0 ||
      shape.documentStrideB != 0)
    return false;
  if (shape.dim < 8 || shape.dim > 128 || shape.dim % 8 != 0)
    return false;
  if (shape.sequence < 2 || shape.batch < 1 || shape.heads < 1)
    return false;
  return std::all_of(tensors.begin(), tensors.end(),
                     [](const kernels::AttentionTensor &tensor) {
                       return tensor.strideS % 8 == 0 &&
                              tensor.strideB % 8 == 0 &&
                              tensor.strideN % 8 == 0;
                     });
}

#ifndef ORRERY_CUDNN

absl::StatusOr<std::unique_ptr<CudnnAttention>>
CudnnAttention::create(const CudnnOptions &) {
  return absl::UnimplementedError(
      "built without the headers of cudnn-frontend");
}

#endif

} // namespace orrery::runtime::cuda
