// Elements and packs of them in registers: conversion to float, and memory
// accesses of the pack's whole width.
#ifndef ORRERY_KERNELS_CUDA_ELEMENTS_CUH
#define ORRERY_KERNELS_CUDA_ELEMENTS_CUH

#include "kernels/ElementType.h"

#include <cstdint>
#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

namespace orrery::kernels::cuda {

/// The unsigned type of `Bytes` bytes: what one access moves.
template <int Bytes> struct UnitOf;
template <> struct UnitOf<2> {
  using Type = uint16_t;
};
template <> struct UnitOf<4> {
  using Type = uint32_t;
};
template <> struct UnitOf<8> {
  using Type = uint2;
};
template <> struct UnitOf<16> {
  using Type = uint4;
};

/// Elements of T in 16 bytes.
template <typename T> constexpr int kPackSize = 16 / sizeof(T);

inline __device__ float toFloat(float x) { return x; }
inline __device__ float toFloat(__half x) { return __half2float(x); }
inline __device__ float toFloat(__nv_bfloat16 x) { return __bfloat162float(x); }

template <typename T> __device__ T fromFloat(float x);
template <> inline __device__ float fromFloat<float>(float x) { return x; }
template <> inline __device__ __half fromFloat<__half>(float x) {
  return __float2half_rn(x);
}
template <> inline __device__ __nv_bfloat16 fromFloat<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

/// `N` elements that are loaded and stored at once; N * sizeof(T) is 2, 4, 8 or
/// 16, and addresses are multiples of it.
template <typename T, int N> struct Pack {
  T values[N];

  static __device__ Pack load(const T *from) {
    using Unit = typename UnitOf<N * sizeof(T)>::Type;
    Unit unit = *reinterpret_cast<const Unit *>(from);
    Pack pack;
    memcpy(&pack, &unit, sizeof(unit));
    return pack;
  }
  __device__ void store(T *to) const {
    using Unit = typename UnitOf<N * sizeof(T)>::Type;
    Unit unit;
    memcpy(&unit, this, sizeof(unit));
    *reinterpret_cast<Unit *>(to) = unit;
  }
};

/// The floats of `N` elements; loaded 16 bytes at a time where N allows.
template <int N> struct Floats {
  float values[N];

  static __device__ Floats load(const float *from) {
    Floats floats;
    constexpr int kStep = N % 4 == 0 ? 4 : 1;
#pragma unroll
    for (int i = 0; i < N; i += kStep) {
      auto pack = Pack<float, kStep>::load(from + i);
#pragma unroll
      for (int j = 0; j < kStep; ++j)
        floats.values[i + j] = pack.values[j];
    }
    return floats;
  }
  __device__ void store(float *to) const {
    constexpr int kStep = N % 4 == 0 ? 4 : 1;
#pragma unroll
    for (int i = 0; i < N; i += kStep) {
      Pack<float, kStep> pack;
#pragma unroll
      for (int j = 0; j < kStep; ++j)
        pack.values[j] = values[i + j];
      pack.store(to + i);
    }
  }
};

/// action(T()) with the floating-point type; cudaErrorNotSupported for others.
template <typename Action>
cudaError_t withFloatType(ElementType type, Action &&action) {
  switch (type) {
  case ElementType::F32:
    return action(float());
  case ElementType::F16:
    return action(__half());
  case ElementType::BF16:
    return action(__nv_bfloat16());
  default:
    return cudaErrorNotSupported;
  }
}

/// Gathers addresses and distances, in bytes, and says which power of two, at
/// most 16, divides all of them.
class CommonAlignment {
public:
  CommonAlignment &add(const void *address) {
    bits |= reinterpret_cast<uintptr_t>(address);
    return *this;
  }
  CommonAlignment &add(int64_t bytes) {
    bits |= static_cast<uint64_t>(bytes);
    return *this;
  }
  int bytes() const {
    int width = 16;
    while (bits & (width - 1))
      width /= 2;
    return width;
  }

private:
  uint64_t bits = 0;
};

} // namespace orrery::kernels::cuda

#endif // ORRERY_KERNELS_CUDA_ELEMENTS_CUH
