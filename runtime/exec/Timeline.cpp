// Unrolling schedules.
#include "runtime/exec/Timeline.h"

#include "runtime/plan/ScheduleEvents.h"

namespace orrery::runtime {
namespace {

size_t findProgram(const std::vector<ScheduledProgram> &programs,
                   const std::string &name) {
  size_t i = 0;
  while (i + 1 < programs.size() && programs[i].program->name != name)
    ++i;
  return i;
}

const PreparedTransfer &transferOf(const ScheduledProgram &program,
                                   size_t instruction) {
  return std::get<PreparedTransfer>(
      program.program->instructions[instruction].kind);
}

// Decides for every receive of `run` before which run it is posted.
void placePostings(std::vector<TimelineRun> &runs, size_t run,
                   const std::vector<ScheduledProgram> &programs) {
  const ScheduledProgram &own = programs[runs[run].program];
  for (size_t instruction : own.transfers) {
    const PreparedTransfer &transfer = transferOf(own, instruction);
    if (transfer.send)
      continue;
    const int64_t slots = transfer.address.slots;
    size_t earliest = run > 0 ? run - 1 : 0;
    for (size_t before = run; before-- > earliest;)
      if (programs[runs[before].program].buffers.count(transfer.buffer) &&
          runs[before].microbatch % slots == runs[run].microbatch % slots) {
        earliest = before + 1;
        break;
      }
    runs[earliest].postings.push_back({run, instruction});
  }
}

} // namespace

std::vector<TimelineRun>
unrollSchedule(const plan::Schedule &schedule, int64_t warmup,
               int64_t microbatches,
               const std::vector<ScheduledProgram> &programs) {
  std::vector<TimelineRun> runs;
  std::vector<int64_t> done(programs.size(), 0);
  int64_t filled = 0; // microbatches whose input has been read
  for (const plan::Schedule::Phase &phase : schedule.phases()) {
    const int64_t count = runsOf(phase.count(), warmup, microbatches);
    for (int64_t i = 0; i < count; ++i)
      for (const std::string &name : phase.programs()) {
        TimelineRun &run = runs.emplace_back();
        run.program = findProgram(programs, name);
        run.microbatch = done[run.program]++;
        if (programs[run.program].readsInput && run.microbatch == filled) {
          run.fillsInput = true;
          ++filled;
        }
      }
  }
  for (size_t run = 0; run < runs.size(); ++run)
    placePostings(runs, run, programs);
  return runs;
}

} // namespace orrery::runtime
