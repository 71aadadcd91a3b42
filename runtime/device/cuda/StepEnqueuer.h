// Enqueuing a step's actions on their streams: as they are, with times, or into
// a graph.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_STEPENQUEUER_H
#define ORRERY_RUNTIME_DEVICE_CUDA_STEPENQUEUER_H

#include "runtime/device/cuda/Memory.h"
#include "runtime/device/cuda/Prepare.h"
#include "runtime/device/cuda/Staging.h"
#include "runtime/device/cuda/StepPlan.h"

#include <vector>

namespace orrery::runtime::cuda {

/// Memory that operations work on; all of it stays where it is.
struct StepMemory {
  std::byte *arena = nullptr;
  uint64_t *keys = nullptr;
  std::vector<std::byte *> scratch; // by lane; null where none is needed
};

/// What an action that is no instruction is called: "copy inputs".
const char *nameOf(StepAction::Kind kind);

/// When each action of a step ran, in events of the GPU.
struct StepTimes {
  std::vector<Event> begin, end; // by action
};

class StepEnqueuer {
public:
  /// Everything given must outlive the enqueuer.
  static absl::StatusOr<StepEnqueuer>
  create(const RankPlan &rank, const Lanes &lanes,
         std::vector<PreparedProgram> &programs, const Staging &staging);

  void use(StepMemory given) { memory = std::move(given); }
  /// Lane 0's: behind all of an enqueued step.
  cudaStream_t stream() const { return streams.front().get(); }
  cudaStream_t stream(int lane) const {
    return streams[static_cast<size_t>(lane)].get();
  }
  std::vector<cudaStream_t> all() const;

  /// Enqueues the step, in order; with `times`, events around every action and
  /// NVTX ranges named like the trace. Errors name program, microbatch and
  /// instruction; what was enqueued before them runs on.
  absl::Status enqueue(const StepPlan &step, StepTimes *times = nullptr);
  /// The step as a graph, ready to be launched on `stream()`.
  absl::StatusOr<GraphExec> capture(const StepPlan &step);
  /// Runs every instruction that needs no other rank once, for microbatch 0, on
  /// whatever the arena holds: code that is loaded when it first runs is here
  /// then, and what cannot run says so. With `messages` the collectives in
  /// their place, which all ranks rehearse.
  absl::Status rehearse(bool messages);

private:
  absl::Status reserveEvents(size_t count);
  absl::Status join(int lane);
  absl::Status begin();
  absl::Status end();
  absl::Status wait(const StepPlan &step, const StepAction &action);
  absl::Status enqueueAction(const StepAction &action);
  absl::Status enqueueInstruction(const StepAction &action);
  absl::Status clearGradients(cudaStream_t stream) const;

  const Staging *staging = nullptr;
  std::vector<PreparedProgram> *programs = nullptr;
  std::vector<ArenaRange> gradients;
  StepMemory memory;
  std::vector<Stream> streams; // by lane
  std::vector<Event> joins;    // by lane: its end, or lane 0's beginning
  std::vector<bool> joined;    // lanes that this step uses
  std::vector<Event> events;   // as StepAction::event
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_STEPENQUEUER_H
