// Runs a schedule's programs with their messages in flight.
#ifndef ORRERY_RUNTIME_EXEC_SCHEDULERUNNER_H
#define ORRERY_RUNTIME_EXEC_SCHEDULERUNNER_H

#include "runtime/device/cpu/Dispatch.h"
#include "runtime/exec/InputFeeder.h"
#include "runtime/exec/Timeline.h"
#include "runtime/exec/Trace.h"

#include <deque>
#include <map>
#include <string>

namespace orrery::runtime {

/// The order of waiting is that of ScheduleCheck.cpp, which proves that it
/// ends: a run begins when earlier sends from the slots that its own sends use
/// are complete; a receive waits where it stands in its program; sends wait at
/// the end of the step at the latest.
class ScheduleRunner {
public:
  /// `programs` must outlive the runner.
  ScheduleRunner(const RankPlan &rank, const plan::Schedule &schedule,
                 std::deque<PreparedProgram> &programs);

  /// One step of `microbatches` microbatches. `trace` may be null. Allocates
  /// nothing unless the number of microbatches changed.
  absl::Status run(int64_t step, int64_t microbatches, InputFeeder &feeder,
                   const BatchReader &reader, const DispatchContext &context,
                   Trace *trace);

private:
  static constexpr Communicator::Request kNone = -1;
  // Pending requests of one transfer instruction, by slot.
  struct Pending {
    std::vector<Communicator::Request> requests;
    std::vector<size_t> sameBuffer; // sends from the same buffer, this included
  };

  void addProgram(const RankPlan &rank, const plan::Program &program,
                  PreparedProgram &prepared);
  Pending &pendingOf(size_t program, size_t instruction) {
    return pending[firstPending[program] + instruction];
  }
  absl::Status post(const TimelineRun &run, size_t instruction);
  absl::Status awaitEarlierSends(const TimelineRun &run);
  absl::Status transfer(const TimelineRun &run, size_t instruction);
  absl::Status awaitAllSends();
  absl::Status waitFor(Pending &p, int64_t slot, Communicator &group);

  const plan::Schedule &schedule;
  int64_t warmup;
  std::vector<ScheduledProgram> programs;
  std::vector<Pending> pending;     // of every instruction of every program
  std::vector<size_t> firstPending; // of each program, into pending
  std::vector<TimelineRun> timeline;
  int64_t unrolledFor = -1;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_EXEC_SCHEDULERUNNER_H
