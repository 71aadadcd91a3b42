// Flat reductions in two stages: a fixed number of blocks, whose threads go
// over the value in steps of the whole grid, and one block that adds what they
// found. Squares are F64, counts are integers.
#include "kernels/cuda/Elements.cuh"
#include "kernels/cuda/Reductions.h"

namespace orrery::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxBlocks = kFlatReduceScratchBytes / sizeof(double);
constexpr int kAhead = 4; // packs in flight

struct SquareSum {
  double sum = 0;
  template <typename T> __device__ void add(T x) {
    const double wide = toFloat(x);
    sum = fma(wide, wide, sum);
  }
  __device__ double value() const { return sum; }
};

struct CountZeros {
  int64_t count = 0;
  template <typename T> __device__ void add(T x) { count += toFloat(x) == 0; }
  __device__ double value() const { return static_cast<double>(count); }
};

// All exponent bits set, in every type: widening keeps infinities and NaNs.
struct CountNotFinite {
  int64_t count = 0;
  template <typename T> __device__ void add(T x) {
    const uint32_t bits = __float_as_uint(toFloat(x));
    count += (bits & 0x7f800000u) == 0x7f800000u;
  }
  __device__ double value() const { return static_cast<double>(count); }
};

// The block's sum, in thread 0; kThreads threads call it.
__device__ double sumOverBlock(double value) {
  __shared__ double shared[kThreads];
  shared[threadIdx.x] = value;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half)
      shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  return shared[0];
}

// `lead` elements come before the first whole 16 bytes; `lead` and what is left
// behind the last pack are fewer than a pack has.
template <typename Found, typename T>
__global__ void reduceParts(const T *in, int64_t count, int lead,
                            double *partial) {
  constexpr int N = kPackSize<T>;
  const int64_t packs = (count - lead) / N;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  const int64_t thread =
      static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const T *__restrict__ from = in + lead;
  Found found[kAhead];
  int64_t i = thread;
  for (; i + (kAhead - 1) * step < packs; i += kAhead * step) {
    Pack<T, N> pack[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k)
      pack[k] = Pack<T, N>::load(from + (i + k * step) * N);
#pragma unroll
    for (int k = 0; k < kAhead; ++k)
#pragma unroll
      for (int j = 0; j < N; ++j)
        found[k].add(pack[k].values[j]);
  }
  for (; i < packs; i += step) {
    const Pack<T, N> pack = Pack<T, N>::load(from + i * N);
#pragma unroll
    for (int j = 0; j < N; ++j)
      found[j % kAhead].add(pack.values[j]);
  }
  if (thread < lead)
    found[0].add(in[thread]);
  if (thread < count - lead - packs * N)
    found[1].add(from[packs * N + thread]);
  double sum = (found[0].value() + found[1].value()) +
               (found[2].value() + found[3].value());
  sum = sumOverBlock(sum);
  if (threadIdx.x == 0)
    partial[blockIdx.x] = sum;
}

__global__ void addParts(const double *partial, int parts, double *out) {
  double sum = 0;
  for (int part = threadIdx.x; part < parts; part += kThreads)
    sum += partial[part];
  sum = sumOverBlock(sum);
  if (threadIdx.x == 0)
    *out = sum;
}

template <typename Found, typename T>
cudaError_t launch(const void *in, int64_t count, double *out, double *partial,
                   cudaStream_t stream) {
  constexpr int64_t kPerBlock = kThreads * kAhead * kPackSize<T>;
  int64_t blocks = (count + kPerBlock - 1) / kPerBlock;
  blocks = max(int64_t(1), min(blocks, kMaxBlocks));
  const int64_t past = reinterpret_cast<uintptr_t>(in) % 16 / sizeof(T);
  const int64_t lead = past == 0 ? 0 : min(count, kPackSize<T> - past);
  reduceParts<Found><<<blocks, kThreads, 0, stream>>>(
      static_cast<const T *>(in), count, static_cast<int>(lead), partial);
  addParts<<<1, kThreads, 0, stream>>>(partial, static_cast<int>(blocks), out);
  return cudaGetLastError();
}

} // namespace

cudaError_t flatReduce(FlatReduction reduction, ElementType type,
                       const void *in, int64_t count, double *out,
                       void *scratch, cudaStream_t stream) {
  double *partial = static_cast<double *>(scratch);
  return withFloatType(type, [&](auto element) {
    using T = decltype(element);
    switch (reduction) {
    case FlatReduction::SquareSum:
      return launch<SquareSum, T>(in, count, out, partial, stream);
    case FlatReduction::CountZeros:
      return launch<CountZeros, T>(in, count, out, partial, stream);
    case FlatReduction::CountNotFinite:
      return launch<CountNotFinite, T>(in, count, out, partial, stream);
    }
    return cudaErrorInvalidValue;
  });
}

} // namespace orrery::kernels::cuda
