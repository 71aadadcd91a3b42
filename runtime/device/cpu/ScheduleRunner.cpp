// The step loop.
#include "runtime/device/cpu/ScheduleRunner.h"

#include "absl/strings/str_cat.h"

namespace orrery::runtime {
namespace {

absl::Status inContext(const absl::Status &status, const std::string &program,
                       int64_t microbatch, const std::string &label) {
  return absl::Status(status.code(),
                      absl::StrCat("program '", program, "', microbatch ",
                                   microbatch, ", '", label,
                                   "': ", status.message()));
}

} // namespace

ScheduleRunner::ScheduleRunner(const RankPlan &rank,
                               const plan::Schedule &schedule,
                               std::deque<PreparedProgram> &prepared)
    : schedule(schedule), warmup(rank.member->warmup()),
      preparedPrograms(prepared), programs(scheduledPrograms(rank)) {
  for (const ScheduledProgram &program : programs) {
    std::vector<Pending> &own = pending.emplace_back(program.transfers.size());
    for (size_t t = 0; t < own.size(); ++t)
      own[t].requests.assign(static_cast<size_t>(program.transfers[t].slots),
                             kNone);
  }
  // Sends that share a buffer must be complete before either is written anew.
  for (size_t p = 0; p < programs.size(); ++p)
    for (size_t i = 0; i < pending[p].size(); ++i)
      for (size_t q = 0; q < programs.size(); ++q)
        for (size_t j = 0; j < pending[q].size(); ++j) {
          const ScheduledTransfer &a = programs[p].transfers[i];
          const ScheduledTransfer &b = programs[q].transfers[j];
          if (a.send && b.send && a.buffer == b.buffer)
            pending[p][i].sameBuffer.push_back(&pending[q][j]);
        }
}

const PreparedTransfer &ScheduleRunner::prepared(size_t program,
                                                 size_t transfer) const {
  const size_t instruction = programs[program].transfers[transfer].instruction;
  return std::get<PreparedTransfer>(
      preparedPrograms[program].instructions[instruction].kind);
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

absl::Status ScheduleRunner::post(const TimelineRun &run, size_t transfer) {
  const PreparedTransfer &t = prepared(run.program, transfer);
  Pending &p = pending[run.program][transfer];
  return t.group->irecv(t.address.at(run.microbatch), t.bytes, t.peer, t.tag,
                        p.requests[run.microbatch % p.requests.size()]);
}

absl::Status ScheduleRunner::awaitEarlierSends(const TimelineRun &run) {
  for (size_t i = 0; i < pending[run.program].size(); ++i)
    for (Pending *other : pending[run.program][i].sameBuffer)
      if (absl::Status status =
              waitFor(*other, run.microbatch, *prepared(run.program, i).group);
          !status.ok())
        return status;
  return absl::OkStatus();
}

absl::Status ScheduleRunner::runTransfer(const TimelineRun &run,
                                         size_t transfer) {
  const PreparedTransfer &t = prepared(run.program, transfer);
  Pending &p = pending[run.program][transfer];
  if (!t.send)
    return waitFor(p, run.microbatch, *t.group);
  return t.group->isend(t.address.at(run.microbatch), t.bytes, t.peer, t.tag,
                        p.requests[run.microbatch % p.requests.size()]);
}

absl::Status ScheduleRunner::awaitAllSends() {
  for (size_t p = 0; p < programs.size(); ++p)
    for (size_t i = 0; i < pending[p].size(); ++i)
      for (int64_t slot = 0; slot < programs[p].transfers[i].slots; ++slot)
        if (absl::Status status =
                waitFor(pending[p][i], slot, *prepared(p, i).group);
            !status.ok())
          return status;
  return absl::OkStatus();
}

absl::Status ScheduleRunner::runInstructions(const TimelineRun &run,
                                             int64_t step,
                                             const DispatchContext &context,
                                             Trace *trace) {
  PreparedProgram &program = preparedPrograms[run.program];
  size_t transfer = 0;
  for (PreparedInstruction &instruction : program.instructions) {
    const bool moves =
        std::holds_alternative<PreparedTransfer>(instruction.kind);
    const size_t own = moves ? transfer++ : transfer;
    if (instruction.lastRunOnly && !run.last)
      continue;
    const double begin = trace ? trace->now() : 0;
    absl::Status status = moves
                              ? runTransfer(run, own)
                              : dispatch(instruction, run.microbatch, context);
    if (!status.ok())
      return inContext(status, program.name, run.microbatch, instruction.label);
    if (trace)
      trace->add({instruction.label.c_str(), instruction.kindName.c_str(),
                  program.name.c_str(), 0, step, run.microbatch,
                  instruction.flops, instruction.bytes, begin, trace->now()});
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
    absl::Status status;
    for (const Posting &posting : run.postings)
      if (status.ok())
        status = post(timeline[posting.run], posting.transfer);
    if (status.ok())
      status = awaitEarlierSends(run);
    if (status.ok() && run.fillsInput)
      status = feeder.fill(run.microbatch, reader);
    if (!status.ok())
      return inContext(status, programs[run.program].name, run.microbatch,
                       "begin");
    status = runInstructions(run, step, context, trace);
    if (!status.ok())
      return status;
  }
  return awaitAllSends();
}

} // namespace orrery::runtime
