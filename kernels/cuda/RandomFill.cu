// Random operands from a 64-bit mixing function of seed and index.
#include "kernels/cuda/Elements.cuh"
#include "kernels/cuda/RandomFill.h"

namespace orrery::kernels::cuda {
namespace {

// The finaliser of SplitMix64.
__device__ uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

template <typename T>
__global__ void fill(T *out, int64_t count, uint64_t seed) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < count; i += step) {
    const uint64_t word = mix((seed + i + 1) * 0x9e3779b97f4a7c15ull);
    const int32_t bits = static_cast<int32_t>(word >> 40) - (1 << 23);
    out[i] = fromFloat<T>(bits * (1.0f / (1 << 23)));
  }
}

} // namespace

cudaError_t fillRandom(ElementType type, void *out, int64_t count,
                       uint64_t seed, cudaStream_t stream) {
  if (count == 0)
    return cudaSuccess;
  return withFloatType(type, [&](auto element) {
    using T = decltype(element);
    const int64_t wanted = (count + 1023) / 1024;
    const int64_t blocks = min(wanted, int64_t(4096));
    fill<<<blocks, 256, 0, stream>>>(static_cast<T *>(out), count, seed);
    return cudaGetLastError();
  });
}

} // namespace orrery::kernels::cuda
