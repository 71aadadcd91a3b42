// Packing of buffers with lifetimes into the fewest bytes.
#ifndef ORRERY_PASSES_MEMORY_ARENALAYOUT_H
#define ORRERY_PASSES_MEMORY_ARENALAYOUT_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace orrery::passes {

/// Every buffer starts at a multiple of a cache line (and of the widest vector
/// that generated kernels load).
inline constexpr int64_t kBufferAlignment = 64;

inline int64_t alignBuffer(int64_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

/// A buffer that is alive from instruction `first` to `last`, both included.
struct LifeInterval {
  int64_t bytes = 0;
  int64_t first = 0, last = 0;
  int64_t offset = 0; // set by packIntervals
};

/// Gives every interval an offset such that intervals alive together are
/// disjoint; returns the bytes needed. Largest first, each at the lowest offset
/// that is free during its life:
///
///   a ██████          life →     offset ↑
///   b       ████                 a and b share bytes, c lies above both
///   c    ██████
int64_t packIntervals(llvm::MutableArrayRef<LifeInterval> intervals);

} // namespace orrery::passes

#endif // ORRERY_PASSES_MEMORY_ARENALAYOUT_H
