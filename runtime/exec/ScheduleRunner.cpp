// The step loop.
#include "runtime/exec/ScheduleRunner.h"

#include "absl/strings/str_cat.h"
#include "runtime/plan/InstructionViews.h"

namespace orrery::runtime {
namespace {

const PreparedTransfer *transferIn(const PreparedInstruction &instruction) {
  return std::get_if<PreparedTransfer>(&instruction.kind);
}

absl::Status inContext(const absl::Status &status, const ScheduledProgram &p,
                       int64_t microbatch, const std::string &label) {
  return absl::Status(status.code(),
                      absl::StrCat("program '", p.program->name,
                                   "', microbatch ", microbatch, ", '", label,
                                   "': ", status.message()));
}

} // namespace

ScheduleRunner::ScheduleRunner(const RankPlan &rank,
                               const plan::Schedule &schedule,
                               std::deque<PreparedProgram> &prepared)
    : schedule(schedule), warmup(rank.member->warmup()) {
  for (int i = 0; i < rank.rankClass->programs_size(); ++i)
    addProgram(rank, rank.rankClass->programs(i), prepared[i]);
  // Sends that share a buffer must be complete before either is written anew.
  for (size_t p = 0; p < programs.size(); ++p)
    for (size_t i : programs[p].transfers)
      for (size_t q = 0; q < programs.size(); ++q)
        for (size_t j : programs[q].transfers) {
          const PreparedTransfer *a =
              transferIn(programs[p].program->instructions[i]);
          const PreparedTransfer *b =
              transferIn(programs[q].program->instructions[j]);
          if (a->send && b->send && a->buffer == b->buffer)
            pendingOf(p, i).sameBuffer.push_back(firstPending[q] + j);
        }
}

void ScheduleRunner::addProgram(const RankPlan &rank,
                                const plan::Program &program,
                                PreparedProgram &prepared) {
  ScheduledProgram &scheduled = programs.emplace_back();
  scheduled.program = &prepared;
  firstPending.push_back(pending.size());
  for (int i = 0; i < program.instructions_size(); ++i) {
    for (const Operand &operand : operandsOf(program.instructions(i))) {
      const uint32_t buffer = operand.view->buffer();
      scheduled.buffers.insert(buffer);
      if (rank.rankClass->buffers(static_cast<int>(buffer)).kind() ==
          plan::Buffer::INPUT)
        scheduled.readsInput = true;
    }
    Pending &slots = pending.emplace_back();
    if (const PreparedTransfer *t = transferIn(prepared.instructions[i])) {
      scheduled.transfers.push_back(static_cast<size_t>(i));
      slots.requests.assign(static_cast<size_t>(t->address.slots), kNone);
    }
  }
}

absl::Status ScheduleRunner::waitFor(Pending &p, int64_t slot,
                                     Communicator &group) {
  Communicator::Request &request = p.requests[slot % p.requests.size()];
  if (request == kNone)
    return absl::OkStatus();
  absl::Status status = group.wait(request);
  request = kNone;
  return status;
}

absl::Status ScheduleRunner::post(const TimelineRun &run, size_t instruction) {
  const PreparedTransfer &t =
      *transferIn(programs[run.program].program->instructions[instruction]);
  Pending &p = pendingOf(run.program, instruction);
  return t.group->irecv(t.address.at(run.microbatch), t.bytes, t.peer, t.tag,
                        p.requests[run.microbatch % p.requests.size()]);
}

absl::Status ScheduleRunner::awaitEarlierSends(const TimelineRun &run) {
  const ScheduledProgram &own = programs[run.program];
  for (size_t instruction : own.transfers) {
    const PreparedTransfer &t =
        *transferIn(own.program->instructions[instruction]);
    for (size_t other : pendingOf(run.program, instruction).sameBuffer)
      if (absl::Status status =
              waitFor(pending[other], run.microbatch, *t.group);
          !status.ok())
        return status;
  }
  return absl::OkStatus();
}

absl::Status ScheduleRunner::transfer(const TimelineRun &run,
                                      size_t instruction) {
  const PreparedTransfer &t =
      *transferIn(programs[run.program].program->instructions[instruction]);
  Pending &p = pendingOf(run.program, instruction);
  if (!t.send)
    return waitFor(p, run.microbatch, *t.group);
  return t.group->isend(t.address.at(run.microbatch), t.bytes, t.peer, t.tag,
                        p.requests[run.microbatch % p.requests.size()]);
}

absl::Status ScheduleRunner::awaitAllSends() {
  for (size_t p = 0; p < programs.size(); ++p)
    for (size_t instruction : programs[p].transfers) {
      const PreparedTransfer &t =
          *transferIn(programs[p].program->instructions[instruction]);
      for (int64_t slot = 0; slot < t.address.slots; ++slot)
        if (absl::Status status =
                waitFor(pendingOf(p, instruction), slot, *t.group);
            !status.ok())
          return status;
    }
  return absl::OkStatus();
}

absl::Status ScheduleRunner::run(int64_t step, int64_t microbatches,
                                 InputFeeder &feeder, const BatchReader &reader,
                                 const DispatchContext &context, Trace *trace) {
  if (unrolledFor != microbatches) {
    timeline = unrollSchedule(schedule, warmup, microbatches, programs);
    unrolledFor = microbatches;
  }
  for (const TimelineRun &run : timeline) {
    const ScheduledProgram &scheduled = programs[run.program];
    absl::Status status;
    for (const Posting &posting : run.postings)
      if (status.ok())
        status = post(timeline[posting.run], posting.instruction);
    if (status.ok())
      status = awaitEarlierSends(run);
    if (status.ok() && run.fillsInput)
      status = feeder.fill(run.microbatch, reader);
    if (!status.ok())
      return inContext(status, scheduled, run.microbatch, "begin");
    std::vector<PreparedInstruction> &instructions =
        scheduled.program->instructions;
    for (size_t i = 0; i < instructions.size(); ++i) {
      const double begin = trace ? trace->now() : 0;
      status = transferIn(instructions[i])
                   ? transfer(run, i)
                   : dispatch(instructions[i], run.microbatch, context);
      if (!status.ok())
        return inContext(status, scheduled, run.microbatch,
                         instructions[i].label);
      if (trace)
        trace->add(*scheduled.program, instructions[i], step, run.microbatch,
                   begin, trace->now());
    }
  }
  return awaitAllSends();
}

} // namespace orrery::runtime
