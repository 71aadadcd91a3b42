// Epilogues by element: a block a piece of a row.
#include "kernels/cuda/Elements.cuh"
#include "kernels/cuda/GemmEpilogue.h"

namespace orrery::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr float kRoot = 0.7978845608028654f; // sqrt(2 / pi)
constexpr float kCubic = 0.044715f;

__device__ float gelu(float x) {
  return 0.5f * x * (1 + tanhf(kRoot * (x + kCubic * x * x * x)));
}

__device__ float geluSlope(float x) {
  const float t = tanhf(kRoot * (x + kCubic * x * x * x));
  return 0.5f * (1 + t) +
         0.5f * x * (1 - t * t) * kRoot * (1 + 3 * kCubic * x * x);
}

template <typename T, GemmEpilogue Kind>
__global__ void apply(const GemmEpilogueArguments a) {
  const int64_t matrix = blockIdx.x / a.m, row = blockIdx.x - matrix * a.m;
  const int64_t start = matrix * a.strideC + row * a.ldc;
  T *c = static_cast<T *>(a.c) + start;
  T *aux = static_cast<T *>(a.aux) + start;
  const T *bias = static_cast<const T *>(a.bias);
  for (int64_t j = blockIdx.y * kThreads + threadIdx.x; j < a.n;
       j += gridDim.y * kThreads) {
    float x = toFloat(c[j]);
    if (Kind == GemmEpilogue::GeluGrad) {
      c[j] = fromFloat<T>(x * geluSlope(toFloat(aux[j])));
      continue;
    }
    x += toFloat(bias[j]);
    if (Kind == GemmEpilogue::BiasGelu) {
      const T before = fromFloat<T>(x);
      aux[j] = before;
      x = gelu(toFloat(before));
    }
    c[j] = fromFloat<T>(x);
  }
}

} // namespace

cudaError_t gemmEpilogue(GemmEpilogue epilogue, ElementType type,
                         const GemmEpilogueArguments &a, cudaStream_t stream) {
  const int64_t rows = a.m * a.batch;
  if (rows > INT32_MAX)
    return cudaErrorInvalidValue;
  if (rows == 0 || a.n == 0 || epilogue == GemmEpilogue::None)
    return cudaSuccess;
  const int64_t pieces = (a.n + kThreads - 1) / kThreads;
  const dim3 grid(rows, pieces < 32 ? pieces : 32);
  return withFloatType(type, [&](auto element) {
    using T = decltype(element);
    switch (epilogue) {
    case GemmEpilogue::None:
      break;
    case GemmEpilogue::Bias:
      apply<T, GemmEpilogue::Bias><<<grid, kThreads, 0, stream>>>(a);
      break;
    case GemmEpilogue::BiasGelu:
      apply<T, GemmEpilogue::BiasGelu><<<grid, kThreads, 0, stream>>>(a);
      break;
    case GemmEpilogue::GeluGrad:
      apply<T, GemmEpilogue::GeluGrad><<<grid, kThreads, 0, stream>>>(a);
      break;
    }
    return cudaGetLastError();
  });
}

} // namespace orrery::kernels::cuda
