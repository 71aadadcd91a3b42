// Streams, waits, capture.
#include "runtime/device/cuda/StepEnqueuer.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <nvtx3/nvToolsExt.h>

namespace orrery::runtime::cuda {
namespace {

absl::Status inContext(const absl::Status &status, const std::string &program,
                       int64_t microbatch, const std::string &label) {
  return absl::Status(status.code(),
                      absl::StrCat("program '", program, "', microbatch ",
                                   microbatch, ", '", label,
                                   "': ", status.message()));
}

// A named range on NVTX's timeline; free of cost without a profiler.
class Range {
public:
  explicit Range(const char *name) { nvtxRangePushA(name); }
  ~Range() { nvtxRangePop(); }
  Range(const Range &) = delete;
  Range &operator=(const Range &) = delete;
};

} // namespace

const char *nameOf(StepAction::Kind kind) {
  switch (kind) {
  case StepAction::Kind::CopyKeys:
    return "copy random keys";
  case StepAction::Kind::CopyScalars:
    return "copy scalars";
  case StepAction::Kind::CopyInputs:
    return "copy inputs";
  case StepAction::Kind::ClearGradients:
    return "clear gradients";
  case StepAction::Kind::ReadScalars:
    return "read scalars";
  case StepAction::Kind::Instruction:
    break;
  }
  return "instruction";
}

absl::StatusOr<StepEnqueuer>
StepEnqueuer::create(const RankPlan &rank, const Lanes &lanes,
                     std::vector<PreparedProgram> &programs,
                     const Staging &staging) {
  StepEnqueuer enqueuer;
  enqueuer.staging = &staging;
  enqueuer.programs = &programs;
  enqueuer.gradients = rangesToClear(rank);
  for (int lane = 0; lane < lanes.count(); ++lane) {
    // What other ranks wait for goes first.
    absl::StatusOr<Stream> stream = createStream(lane > 0);
    absl::StatusOr<Event> event = createEvent(false);
    if (!stream.ok())
      return stream.status();
    if (!event.ok())
      return event.status();
    enqueuer.streams.push_back(*std::move(stream));
    enqueuer.joins.push_back(*std::move(event));
  }
  enqueuer.joined.resize(enqueuer.streams.size());
  return enqueuer;
}

std::vector<cudaStream_t> StepEnqueuer::all() const {
  std::vector<cudaStream_t> all;
  for (const Stream &stream : streams)
    all.push_back(stream.get());
  return all;
}

absl::Status StepEnqueuer::reserveEvents(size_t count) {
  while (events.size() < count) {
    absl::StatusOr<Event> event = createEvent(false);
    if (!event.ok())
      return event.status();
    events.push_back(*std::move(event));
  }
  return absl::OkStatus();
}

absl::Status StepEnqueuer::begin() {
  std::fill(joined.begin(), joined.end(), false);
  joined[0] = true;
  return toStatus(cudaEventRecord(joins[0].get(), stream()),
                  "beginning of a step");
}

// A lane's first action of a step comes behind the step's beginning, which also
// makes its stream part of a capture.
absl::Status StepEnqueuer::join(int lane) {
  if (joined[static_cast<size_t>(lane)])
    return absl::OkStatus();
  joined[static_cast<size_t>(lane)] = true;
  return toStatus(cudaStreamWaitEvent(stream(lane), joins[0].get()),
                  "beginning of a stream");
}

// Lane 0 ends behind all others.
absl::Status StepEnqueuer::end() {
  absl::Status status;
  for (size_t lane = 1; lane < streams.size(); ++lane) {
    if (!joined[lane])
      continue;
    status.Update(
        toStatus(cudaEventRecord(joins[lane].get(), streams[lane].get()),
                 "end of a stream"));
    status.Update(toStatus(cudaStreamWaitEvent(stream(), joins[lane].get()),
                           "end of a step"));
  }
  return status;
}

absl::Status StepEnqueuer::wait(const StepPlan &step,
                                const StepAction &action) {
  absl::Status status = join(action.lane);
  for (uint32_t awaited : step.waitsOf(action))
    if (status.ok())
      status = toStatus(
          cudaStreamWaitEvent(
              stream(action.lane),
              events[static_cast<size_t>(step.actions[awaited].event)].get()),
          "wait for another stream");
  return status;
}

absl::Status StepEnqueuer::clearGradients(cudaStream_t on) const {
  absl::Status status;
  for (const ArenaRange &range : gradients)
    if (status.ok())
      status = toStatus(
          cudaMemsetAsync(memory.arena + range.begin, 0, range.bytes(), on),
          "clearing of gradients");
  return status;
}

absl::Status StepEnqueuer::enqueueInstruction(const StepAction &action) {
  PreparedProgram &program = (*programs)[action.program];
  PreparedInstruction &instruction = program.instructions[action.instruction];
  absl::Status status = instruction.operation->enqueue(
      {memory.arena, memory.keys, memory.scratch[action.lane],
       stream(action.lane), action.microbatch});
  if (!status.ok())
    return inContext(status, program.name, action.microbatch,
                     instruction.label);
  return absl::OkStatus();
}

absl::Status StepEnqueuer::enqueueAction(const StepAction &action) {
  const cudaStream_t on = stream(action.lane);
  switch (action.kind) {
  case StepAction::Kind::CopyKeys:
    return staging->copyKeys(memory.keys, on);
  case StepAction::Kind::CopyScalars:
    return staging->copyScalars(memory.arena, on);
  case StepAction::Kind::CopyInputs:
    return staging->copyInputs(memory.arena, action.microbatch, on);
  case StepAction::Kind::ClearGradients:
    return clearGradients(on);
  case StepAction::Kind::ReadScalars:
    return staging->readScalars(memory.arena, on);
  case StepAction::Kind::Instruction:
    return enqueueInstruction(action);
  }
  return absl::InternalError("an action of an unknown kind");
}

absl::Status StepEnqueuer::enqueue(const StepPlan &step, StepTimes *times) {
  absl::Status status = reserveEvents(static_cast<size_t>(step.events));
  if (status.ok())
    status = begin();
  for (size_t i = 0; i < step.actions.size() && status.ok(); ++i) {
    const StepAction &action = step.actions[i];
    const cudaStream_t on = stream(action.lane);
    status = wait(step, action);
    if (status.ok() && times) {
      const Range range(action.kind == StepAction::Kind::Instruction
                            ? (*programs)[action.program]
                                  .instructions[action.instruction]
                                  .label.c_str()
                            : nameOf(action.kind));
      status = toStatus(cudaEventRecord(times->begin[i].get(), on), "timing");
      status.Update(enqueueAction(action));
      status.Update(
          toStatus(cudaEventRecord(times->end[i].get(), on), "timing"));
    } else if (status.ok()) {
      status = enqueueAction(action);
    }
    if (status.ok() && action.event >= 0)
      status = toStatus(
          cudaEventRecord(events[static_cast<size_t>(action.event)].get(), on),
          "end of an action");
  }
  return status.ok() ? end() : status;
}

absl::StatusOr<GraphExec> StepEnqueuer::capture(const StepPlan &step) {
  if (absl::Status status = reserveEvents(static_cast<size_t>(step.events));
      !status.ok())
    return status;
  if (cudaError_t error =
          cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal);
      error != cudaSuccess)
    return toStatus(error, "cannot begin to capture a step");
  absl::Status status = enqueue(step);
  cudaGraph_t captured = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(stream(), &captured);
  const Graph graph(captured);
  status.Update(toStatus(ended, "cannot capture a step"));
  if (!status.ok()) {
    cudaGetLastError(); // a failed capture leaves its error behind
    return status;
  }
  cudaGraphExec_t instance = nullptr;
  if (cudaError_t error = cudaGraphInstantiate(
          &instance, graph.get(), cudaGraphInstantiateFlagUseNodePriority);
      error != cudaSuccess)
    return toStatus(error, absl::StrCat("cannot make a graph of the step's ",
                                        step.actions.size(), " actions"));
  GraphExec exec(instance);
  if (cudaError_t error = cudaGraphUpload(exec.get(), stream());
      error != cudaSuccess)
    return toStatus(error, "cannot upload the graph of a step");
  return exec;
}

absl::Status StepEnqueuer::rehearse(bool messages) {
  for (uint32_t p = 0; p < programs->size(); ++p) {
    PreparedProgram &program = (*programs)[p];
    for (uint32_t i = 0; i < program.instructions.size(); ++i) {
      const PreparedInstruction &instruction = program.instructions[i];
      if (instruction.transfer || instruction.collective != messages)
        continue;
      const StepAction action = {
          .lane = instruction.lane, .program = p, .instruction = i};
      if (absl::Status status = enqueueInstruction(action); !status.ok())
        return status;
      if (absl::Status status =
              toStatus(cudaStreamSynchronize(stream(action.lane)), "rehearsal");
          !status.ok())
        return inContext(status, program.name, 0, instruction.label);
    }
  }
  return absl::OkStatus();
}

} // namespace orrery::runtime::cuda
