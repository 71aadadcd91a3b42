// Which elements dropout keeps. One rule for every kernel, on CPUs and GPUs:
// an integer comparison, so that all agree to the bit.
//
// Element i (linear index in the *global* tensor) is kept iff word i % 4 of
// Philox(counter = i / 4, key) >= floor(p * 2^32); kept elements are scaled by
// 1 / (1 - p).
#ifndef ORRERY_KERNELS_REF_DROPOUT_H
#define ORRERY_KERNELS_REF_DROPOUT_H

#include "kernels/ref/Philox.h"

#include <cstdint>

namespace orrery::kernels {

/// floor(p * 2^32) for a drop probability p in [0, 1).
///   dropoutThreshold(0.5) = 2147483648
inline uint64_t dropoutThreshold(double p) {
  return static_cast<uint64_t>(p * 4294967296.0);
}

/// Whether dropout keeps element `i` of the stream `key`.
inline bool dropoutKeeps(uint64_t i, uint64_t key, uint64_t threshold) {
  return Philox4x32::generate(i / 4, 0, key)[i % 4] >= threshold;
}

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_REF_DROPOUT_H
