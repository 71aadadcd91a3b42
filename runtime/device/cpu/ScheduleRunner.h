// Runs a schedule's programs with their messages in flight.
#ifndef ORRERY_RUNTIME_DEVICE_CPU_SCHEDULERUNNER_H
#define ORRERY_RUNTIME_DEVICE_CPU_SCHEDULERUNNER_H

#include "runtime/device/InputFeeder.h"
#include "runtime/device/Timeline.h"
#include "runtime/device/Trace.h"
#include "runtime/device/cpu/Dispatch.h"

#include <deque>
#include <vector>

namespace orrery::runtime {

/// The order of waiting is that of ScheduleCheck.cpp, which proves that it
/// ends: a run begins when earlier sends from the slots that its own sends use
/// are complete; a receive waits where it stands in its program; sends wait at
/// the end of the step at the latest.
class ScheduleRunner {
public:
  /// `programs`, in the plan's order, must outlive the runner.
  ScheduleRunner(const RankPlan &rank, const plan::Schedule &schedule,
                 std::deque<PreparedProgram> &programs);

  /// One step of `microbatches` microbatches. `trace` may be null. Allocates
  /// nothing unless the number of microbatches changed.
  absl::Status run(int64_t step, int64_t microbatches, InputFeeder &feeder,
                   const BatchReader &reader, const DispatchContext &context,
                   Trace *trace);

private:
  static constexpr Communicator::Request kNone = -1;
  // Pending requests of one transfer, by slot.
  struct Pending {
    std::vector<Communicator::Request> requests;
    std::vector<Pending *> sameBuffer; // sends from the same, this included
  };

  const PreparedTransfer &prepared(size_t program, size_t transfer) const;
  absl::Status post(const TimelineRun &run, size_t transfer);
  absl::Status awaitEarlierSends(const TimelineRun &run);
  absl::Status runTransfer(const TimelineRun &run, size_t transfer);
  absl::Status runInstructions(const TimelineRun &run, int64_t step,
                               const DispatchContext &context, Trace *trace);
  absl::Status awaitAllSends();
  absl::Status waitFor(Pending &p, int64_t slot, Communicator &group);

  const plan::Schedule &schedule;
  int64_t warmup;
  std::deque<PreparedProgram> &preparedPrograms;
  std::vector<ScheduledProgram> programs;
  std::vector<std::vector<Pending>> pending; // of each program's transfers
  std::vector<TimelineRun> timeline;
  int64_t unrolledFor = -1;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CPU_SCHEDULERUNNER_H
