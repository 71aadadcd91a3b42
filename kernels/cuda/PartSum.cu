// Sums of parts: packs of 16 bytes where the addresses allow, all parts of a
// pack in flight.
#include "kernels/cuda/Elements.cuh"
#include "kernels/cuda/PartSum.h"

#include <algorithm>

namespace orrery::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxBlocks = 1024;
constexpr int kAhead = 8; // parts in flight

// What elements are added in.
template <typename T> struct WideOf {
  using Type = float;
};
template <> struct WideOf<double> {
  using Type = double;
};
template <> struct WideOf<int32_t> {
  using Type = int32_t;
};
template <> struct WideOf<int64_t> {
  using Type = int64_t;
};

template <typename T> __device__ typename WideOf<T>::Type widen(T x) {
  if constexpr (std::is_same_v<typename WideOf<T>::Type, float>)
    return toFloat(x);
  else
    return x;
}
template <typename T> __device__ T narrow(typename WideOf<T>::Type x) {
  if constexpr (std::is_same_v<typename WideOf<T>::Type, float>)
    return fromFloat<T>(x);
  else
    return x;
}

template <bool Max, typename W> __device__ W combine(W a, W b) {
  if constexpr (!Max)
    return a + b;
  else // NaN wins, as in a sum
    return a != a || a > b ? a : b;
}

template <typename T, int N, bool Max>
__global__ void __launch_bounds__(kThreads)
    sumParts(PartSumArguments arguments, int64_t packs) {
  using Wide = typename WideOf<T>::Type;
  const T *in = static_cast<const T *>(arguments.in);
  const char *received = static_cast<const char *>(arguments.received);
  auto from = [&](int part, int64_t pack) {
    const T *base =
        part == arguments.own
            ? in
            : reinterpret_cast<const T *>(received + part * arguments.distance);
    return Pack<T, N>::load(base + pack * N);
  };
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
       i < packs; i += step) {
    Wide sum[N];
    for (int first = 0; first < arguments.parts; first += kAhead) {
      Pack<T, N> pack[kAhead];
#pragma unroll
      for (int k = 0; k < kAhead; ++k)
        if (first + k < arguments.parts)
          pack[k] = from(first + k, i);
#pragma unroll
      for (int k = 0; k < kAhead; ++k)
        if (first + k < arguments.parts)
#pragma unroll
          for (int j = 0; j < N; ++j) {
            const Wide value = widen(pack[k].values[j]);
            sum[j] = first + k == 0 ? value : combine<Max, Wide>(sum[j], value);
          }
    }
    Pack<T, N> result;
#pragma unroll
    for (int j = 0; j < N; ++j)
      result.values[j] = narrow<T>(sum[j]);
    result.store(static_cast<T *>(arguments.out) + i * N);
  }
}

template <typename T, int N>
cudaError_t launch(const PartSumArguments &arguments, cudaStream_t stream) {
  const int64_t packs = arguments.count / N;
  if (packs > 0) {
    const int blocks = static_cast<int>(
        std::min(kMaxBlocks, (packs + kThreads - 1) / kThreads));
    if (arguments.max)
      sumParts<T, N, true><<<blocks, kThreads, 0, stream>>>(arguments, packs);
    else
      sumParts<T, N, false><<<blocks, kThreads, 0, stream>>>(arguments, packs);
  }
  return cudaGetLastError();
}

// Packs, and what is left behind the last one element by element.
template <typename T>
cudaError_t sum(PartSumArguments arguments, cudaStream_t stream) {
  constexpr int N = kPackSize<T>;
  const int width = CommonAlignment()
                        .add(arguments.in)
                        .add(arguments.received)
                        .add(arguments.distance)
                        .add(arguments.out)
                        .bytes();
  if (width < 16)
    return launch<T, 1>(arguments, stream);
  if (cudaError_t error = launch<T, N>(arguments, stream); error != cudaSuccess)
    return error;
  const int64_t done = arguments.count / N * N;
  if (done == arguments.count)
    return cudaSuccess;
  arguments.in = static_cast<const T *>(arguments.in) + done;
  arguments.received = static_cast<const T *>(arguments.received) + done;
  arguments.out = static_cast<T *>(arguments.out) + done;
  arguments.count -= done;
  return launch<T, 1>(arguments, stream);
}

} // namespace

cudaError_t partSum(ElementType type, const PartSumArguments &arguments,
                    cudaStream_t stream) {
  switch (type) {
  case ElementType::F64:
    return sum<double>(arguments, stream);
  case ElementType::I32:
    return sum<int32_t>(arguments, stream);
  case ElementType::I64:
    return sum<int64_t>(arguments, stream);
  default:
    return withFloatType(type, [&](auto value) {
      return sum<decltype(value)>(arguments, stream);
    });
  }
}

} // namespace orrery::kernels::cuda
