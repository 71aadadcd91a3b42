// Division of 32-bit numbers by a number that is known beforehand, as a
// multiplication and a shift (Granlund and Montgomery, Division by Invariant
// Integers using Multiplication, 1994, figure 4.1).
#ifndef ORRERY_KERNELS_CUDA_FASTDIVISOR_H
#define ORRERY_KERNELS_CUDA_FASTDIVISOR_H

#include <cstdint>

#ifdef __CUDACC__
#define ORRERY_HOST_DEVICE __host__ __device__
#else
#define ORRERY_HOST_DEVICE
#endif

namespace orrery::kernels::cuda {

/// For numbers and divisors below 2^31, divisors at least 1:
///
///   FastDivisor(7).divide(100) == 14
class FastDivisor {
public:
  FastDivisor() = default;
  explicit FastDivisor(uint32_t divisor) {
    while ((uint64_t(1) << shift) < divisor)
      ++shift;
    const uint64_t rest = (uint64_t(1) << shift) - divisor;
    factor = static_cast<uint32_t>((rest << 32) / divisor + 1);
  }

  ORRERY_HOST_DEVICE uint32_t divide(uint32_t number) const {
    const uint64_t product = static_cast<uint64_t>(number) * factor;
    return (static_cast<uint32_t>(product >> 32) + number) >> shift;
  }

private:
  uint32_t factor = 1; // divides by 1
  uint32_t shift = 0;
};

} // namespace orrery::kernels::cuda

#endif // ORRERY_KERNELS_CUDA_FASTDIVISOR_H
