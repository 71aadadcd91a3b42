// Which actions of other streams an action must wait for: those that touch the
// same bytes, one of the two writing, and that it does not wait for already.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_CONFLICTTRACKER_H
#define ORRERY_RUNTIME_DEVICE_CUDA_CONFLICTTRACKER_H

#include "absl/container/inlined_vector.h"

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace orrery::runtime::cuda {

struct ByteAccess {
  uint64_t begin = 0, end = 0; // [begin, end)
  bool write = false;
};

/// Actions are added in program order; those of one lane run in that order.
///
///   lane 0: a writes X          c reads Y            waits for b
///   lane 1:            b reads X, writes Y           waits for a
///   lane 2:                       d reads X and Y    waits for b alone:
///                                                    b waited for a
///
/// The byte ranges lie in a map of disjoint segments, each with its last writer
/// and, per lane, its last reader since.
class ConflictTracker {
public:
  using Action = uint32_t;

  explicit ConflictTracker(int lanes);

  /// Adds an action, numbered from 0, and sets `waits` to the actions it has to
  /// wait for: at most one for each other lane. Empty ranges touch nothing.
  Action add(int lane, std::span<const ByteAccess> accesses,
             std::vector<Action> &waits);

private:
  static constexpr Action kNone = ~Action(0);
  struct Segment {
    Segment(uint64_t end, Action writer) : end(end), writer(writer) {}

    uint64_t end;
    Action writer;
    absl::InlinedVector<Action, 2> readers; // at most one for each lane
  };
  using Segments = std::map<uint64_t, Segment>; // by begin

  void collect(const ByteAccess &access, int lane);
  void need(Action action, int lane);
  void reduce(int lane, std::vector<Action> &waits);
  void apply(const ByteAccess &access, Action action);
  void read(Segment &segment, Action action);
  Segments::iterator splitAt(uint64_t position);
  const uint32_t *clockOf(Action action) const {
    return clocks.data() + static_cast<size_t>(action) * lanes;
  }

  size_t lanes;
  Segments segments;
  std::vector<uint32_t> laneOf;   // of each action
  std::vector<uint32_t> position; // in its lane, from 1
  std::vector<std::vector<Action>> inLane;
  // For each action and lane: how many actions of the lane are done when it is.
  std::vector<uint32_t> clocks;
  std::vector<std::vector<uint32_t>> now; // the same, of each lane's newest
  std::vector<uint32_t> needed;           // positions, by lane; of one add()
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_CONFLICTTRACKER_H
