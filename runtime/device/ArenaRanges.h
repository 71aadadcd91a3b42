// Where in the arena a rank has what: its gradients, its state, its scalars.
#ifndef ORRERY_RUNTIME_DEVICE_ARENARANGES_H
#define ORRERY_RUNTIME_DEVICE_ARENARANGES_H

#include "runtime/plan/RankPlan.h"

#include <cstdint>
#include <vector>

namespace orrery::runtime {

/// Bytes of the arena [begin, end).
struct ArenaRange {
  uint64_t begin = 0, end = 0;
  uint64_t bytes() const { return end - begin; }
  bool operator==(const ArenaRange &) const = default;
};

/// Where the class's buffers of a kind lie, in order of their offsets, all
/// slots; neighbours with less than 256 bytes and no other buffer between them
/// are one range. For kinds that exist once.
std::vector<ArenaRange> rangesOf(const RankPlan &rank, plan::Buffer::Kind kind);

/// What must be zero when a training step begins: the gradients, but for what
/// products overwrite (Gemm.first_run_overwrites). In order.
std::vector<ArenaRange> rangesToClear(const RankPlan &rank);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_ARENARANGES_H
