// Unrolling schedules.
#include "runtime/device/Timeline.h"

#include "runtime/plan/InstructionViews.h"
#include "runtime/plan/ScheduleEvents.h"

namespace orrery::runtime {
namespace {

size_t findProgram(const std::vector<ScheduledProgram> &programs,
                   const std::string &name) {
  size_t i = 0;
  while (i + 1 < programs.size() && programs[i].name != name)
    ++i;
  return i;
}

// Decides for every receive of `run` before which run it is posted.
void placePostings(std::vector<TimelineRun> &runs, size_t run,
                   const std::vector<ScheduledProgram> &programs) {
  const ScheduledProgram &own = programs[runs[run].program];
  for (size_t t = 0; t < own.transfers.size(); ++t) {
    const ScheduledTransfer &transfer = own.transfers[t];
    if (transfer.send)
      continue;
    const int64_t slots = transfer.slots;
    size_t earliest = run > 0 ? run - 1 : 0;
    for (size_t before = run; before-- > earliest;)
      if (programs[runs[before].program].buffers.count(transfer.buffer) &&
          runs[before].microbatch % slots == runs[run].microbatch % slots) {
        earliest = before + 1;
        break;
      }
    runs[earliest].postings.push_back({run, t});
  }
}

} // namespace

std::vector<ScheduledProgram> scheduledPrograms(const RankPlan &rank) {
  std::vector<ScheduledProgram> programs;
  for (const plan::Program &program : rank.rankClass->programs()) {
    ScheduledProgram &scheduled = programs.emplace_back();
    scheduled.name = program.name();
    for (int i = 0; i < program.instructions_size(); ++i) {
      const plan::Instruction &instruction = program.instructions(i);
      for (const Operand &operand : operandsOf(instruction)) {
        const uint32_t number = operand.view->buffer();
        const plan::Buffer &buffer =
            rank.rankClass->buffers(static_cast<int>(number));
        scheduled.buffers.insert(number);
        scheduled.readsInput |= buffer.kind() == plan::Buffer::INPUT;
        if (instruction.has_send() || instruction.has_receive())
          scheduled.transfers.push_back({static_cast<size_t>(i),
                                         instruction.has_send(), number,
                                         slotsOf(buffer, *rank.member)});
      }
    }
  }
  return programs;
}

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
  for (size_t run = 0; run < runs.size(); ++run) {
    TimelineRun &own = runs[run];
    own.last = own.microbatch + 1 == done[own.program];
    placePostings(runs, run, programs);
  }
  return runs;
}

} // namespace orrery::runtime
