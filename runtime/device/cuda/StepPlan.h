// Everything that a step enqueues, in order: on which stream, and what of other
// streams it waits for. Knows no GPU.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_STEPPLAN_H
#define ORRERY_RUNTIME_DEVICE_CUDA_STEPPLAN_H

#include "runtime/device/ArenaRanges.h"
#include "runtime/device/Timeline.h"
#include "runtime/device/cuda/Lanes.h"

#include <cstdint>
#include <span>
#include <vector>

namespace orrery::runtime::cuda {

struct StepAction {
  enum class Kind : uint8_t {
    CopyKeys,       // of random streams, to the device
    CopyScalars,    // host's values, and zeros for what programs write
    CopyInputs,     // of a microbatch
    ClearGradients, // those that no product overwrites
    Instruction,    // a send or receive is one, too
    ReadScalars     // back to the host
  };
  Kind kind = Kind::Instruction;
  int lane = 0;
  int32_t event = -1;       // number of the event that other lanes wait for
  uint32_t program = 0;     // of the class
  uint32_t instruction = 0; // of the program; the first of a run of sums
  int64_t microbatch = 0;
  uint32_t firstWait = 0, waits = 0; // into StepPlan::waits
};

struct StepPlan {
  std::vector<StepAction> actions;
  std::vector<uint32_t> waits; // numbers of earlier actions
  int32_t events = 0;          // of actions that another lane waits for

  std::span<const uint32_t> waitsOf(const StepAction &action) const {
    return {waits.data() + action.firstWait, action.waits};
  }
};

/// A step of the train or evaluate schedule. Two stages, 1F1B, on the first:
///
///   compute  |        F0       F1       |B0      F2 …
///   setup    | keys scalars in0 in1 zero
///   send     |          x0       x1
///   receive  |                  dx0 (posted before F1)    dx1
///
/// An action waits for the latest conflicting ones of other lanes and for no
/// more (ConflictTracker.h). A run of column sums (ColumnSumRuns.h) is one
/// action, with the operands of all.
StepPlan planStep(const RankPlan &rank, const Lanes &lanes, bool train,
                  int64_t microbatches);

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_STEPPLAN_H
