// Steps on a GPU: as graphs, or timed; and the host's copy of the weights.
#include "runtime/device/cuda/CudaDevice.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/device/Trace.h"
#include "runtime/device/cuda/Ceilings.h"
#include "runtime/device/cuda/CudaRank.h"

namespace orrery::runtime {
namespace cuda {
namespace {

// A schedule unrolled for a number of microbatches.
struct UnrolledStep {
  int64_t microbatches = -1;
  StepPlan plan;
  GraphExec graph; // null until it is captured
};

class CudaDevice : public Device {
public:
  CudaDevice(const RankPlan &rank, CommunicatorFactory &factory,
             const CudaOptions &options)
      : parts(rank, factory, options) {}

  absl::Status setUp();

  absl::Status run(const ScheduleRun &run, const BatchReader &reader) override;
  std::optional<double> scalar(std::string_view name) const override {
    return parts.staging->scalar(name);
  }
  bool readsData() const override { return parts.staging->readsData(); }
  absl::StatusOr<std::byte *> hostArena() override;
  absl::Status updateFromHost() override;
  std::vector<std::string> memoryReport() const override;
  int64_t memoryBytes() const override { return parts.ledger.taken(); }
  absl::StatusOr<DeviceCeilings> measureCeilings() override {
    return cuda::measureCeilings(parts.gemms);
  }
  void setTrace(Trace *to) override;

private:
  absl::Status runStep(UnrolledStep &step, const ScheduleRun &run,
                       const BatchReader &reader);
  absl::Status unroll(UnrolledStep &step, const ScheduleRun &run);
  absl::Status launch(UnrolledStep &step);
  absl::Status runTimed(const UnrolledStep &step, int64_t number);
  absl::Status wait();
  void addEvent(const UnrolledStep &step, size_t action, int64_t number,
                double origin);
  absl::Status copyState(bool toHost);
  absl::Status forgetImage();
  std::string messagesText() const;

  CudaRank parts;
  UnrolledStep train, evaluation; // before parts' end
  std::vector<ArenaRange> state;  // weights and optimizer state
  bool imageIsCurrent = true;     // both are zero
  Event done, origin;             // of a step; of a trace's times
  StepTimes times;
  Trace *trace = nullptr;
};

} // namespace

absl::Status CudaDevice::setUp() {
  if (absl::Status status = parts.setUp(); !status.ok())
    return status;
  for (plan::Buffer::Kind kind :
       {plan::Buffer::WEIGHT, plan::Buffer::OPTIMIZER})
    for (const ArenaRange &range : rangesOf(parts.rank, kind))
      state.push_back(range);
  absl::StatusOr<Event> made = createEvent(false);
  if (!made.ok())
    return made.status();
  done = *std::move(made);
  return absl::OkStatus();
}

absl::Status CudaDevice::run(const ScheduleRun &run,
                             const BatchReader &reader) {
  if (parts.broken)
    return absl::FailedPreconditionError("the GPU failed in an earlier step");
  absl::Status status = runStep(run.train ? train : evaluation, run, reader);
  parts.broken = !status.ok();
  return status;
}

absl::Status CudaDevice::unroll(UnrolledStep &step, const ScheduleRun &run) {
  if (step.microbatches != run.microbatches) {
    step = UnrolledStep();
    step.plan = planStep(parts.rank, parts.lanes, run.train, run.microbatches);
    step.microbatches = run.microbatches;
  }
  absl::StatusOr<bool> moved = parts.staging->reserve(run.microbatches);
  if (moved.ok() && *moved) {
    train.graph = GraphExec();
    evaluation.graph = GraphExec();
  }
  return moved.status();
}

absl::Status CudaDevice::runStep(UnrolledStep &step, const ScheduleRun &run,
                                 const BatchReader &reader) {
  absl::Status status = unroll(step, run);
  if (status.ok())
    status = forgetImage();
  if (status.ok())
    status = parts.staging->fill(run, reader);
  if (status.ok())
    status = trace ? runTimed(step, run.step) : launch(step);
  if (status.ok())
    parts.staging->finish();
  return status;
}

absl::Status CudaDevice::wait() {
  absl::Status status = toStatus(
      cudaEventRecord(done.get(), parts.enqueuer->stream()), "end of a step");
  return status.ok() ? parts.nccl.wait(done.get()) : status;
}

absl::Status CudaDevice::launch(UnrolledStep &step) {
  if (!step.graph.get()) {
    absl::StatusOr<GraphExec> captured = parts.enqueuer->capture(step.plan);
    if (!captured.ok())
      return captured.status();
    step.graph = *std::move(captured);
    if (absl::Status status = parts.ledger.book("graphs"); !status.ok())
      return status;
  }
  absl::Status status =
      toStatus(cudaGraphLaunch(step.graph.get(), parts.enqueuer->stream()),
               "launch of a step");
  return status.ok() ? wait() : status;
}

absl::Status CudaDevice::runTimed(const UnrolledStep &step, int64_t number) {
  while (times.begin.size() < step.plan.actions.size())
    for (std::vector<Event> *events : {&times.begin, &times.end}) {
      absl::StatusOr<Event> event = createEvent(true);
      if (!event.ok())
        return event.status();
      events->push_back(*std::move(event));
    }
  if (!origin.get()) {
    absl::StatusOr<Event> event = createEvent(true);
    if (!event.ok())
      return event.status();
    origin = *std::move(event);
  }
  // The stream is idle: its event happens now.
  absl::Status status = toStatus(
      cudaEventRecord(origin.get(), parts.enqueuer->stream()), "timing");
  status.Update(toStatus(cudaEventSynchronize(origin.get()), "timing"));
  const double started = trace->now();
  if (status.ok())
    status = parts.enqueuer->enqueue(step.plan, &times);
  if (status.ok())
    status = wait();
  for (size_t i = 0; i < step.plan.actions.size() && status.ok(); ++i)
    addEvent(step, i, number, started);
  return status;
}

void CudaDevice::addEvent(const UnrolledStep &step, size_t index,
                          int64_t number, double started) {
  const StepAction &action = step.plan.actions[index];
  TraceEvent event;
  event.label = nameOf(action.kind);
  event.kind = "setup";
  event.stream = action.lane;
  event.step = number;
  event.microbatch = action.microbatch;
  if (action.kind == StepAction::Kind::Instruction) {
    const PreparedProgram &program = parts.programs[action.program];
    const PreparedInstruction &instruction =
        program.instructions[action.instruction];
    event.label = instruction.label.c_str();
    event.kind = instruction.kindName.c_str();
    event.program = program.name.c_str();
    event.flops = instruction.flops;
    event.bytes = instruction.bytes;
  }
  float begin = 0, end = 0; // milliseconds; the events are complete
  cudaEventElapsedTime(&begin, origin.get(), times.begin[index].get());
  cudaEventElapsedTime(&end, origin.get(), times.end[index].get());
  event.begin = started + 1000.0 * static_cast<double>(begin);
  event.end = started + 1000.0 * static_cast<double>(end);
  trace->add(event);
}

void CudaDevice::setTrace(Trace *to) {
  trace = to;
  if (trace)
    trace->nameStreams(parts.lanes.names());
}

absl::Status CudaDevice::copyState(bool toHost) {
  std::byte *device = static_cast<std::byte *>(parts.arena.get());
  std::byte *host = parts.image.data();
  const cudaStream_t stream = parts.enqueuer->stream();
  absl::Status status;
  for (const ArenaRange &range : state) {
    std::byte *to = (toHost ? host : device) + range.begin;
    const std::byte *from = (toHost ? device : host) + range.begin;
    status.Update(toStatus(
        cudaMemcpyAsync(to, from, range.bytes(), cudaMemcpyDefault, stream),
        "copy of weights"));
  }
  status.Update(toStatus(cudaStreamSynchronize(stream), "copy of weights"));
  parts.broken |= !status.ok();
  return status;
}

absl::StatusOr<std::byte *> CudaDevice::hostArena() {
  if (!imageIsCurrent)
    if (absl::Status status = copyState(/*toHost=*/true); !status.ok())
      return status;
  imageIsCurrent = true;
  return parts.image.data();
}

absl::Status CudaDevice::updateFromHost() {
  if (!imageIsCurrent)
    return absl::FailedPreconditionError(
        "hostArena has not been asked for since the last step");
  return copyState(/*toHost=*/false);
}

// The host's copy is out of date behind a step; its memory goes back to the
// system.
absl::Status CudaDevice::forgetImage() {
  absl::Status status;
  if (imageIsCurrent)
    for (const ArenaRange &range : state)
      status.Update(parts.image.release(range.begin, range.end));
  imageIsCurrent = false;
  return status;
}

// "messages: tp by peer memory, dp by NCCL"; nothing for one rank.
std::string CudaDevice::messagesText() const {
  std::vector<std::string> texts;
  for (const std::optional<DeviceGroup> &group : parts.groups)
    if (group && group->size() > 1)
      texts.push_back(absl::StrCat(
          group->name(), group->usesPeers() ? " by peer memory" : " by NCCL"));
  return texts.empty() ? ""
                       : absl::StrCat("messages: ", absl::StrJoin(texts, ", "));
}

std::vector<std::string> CudaDevice::memoryReport() const {
  const MemoryLedger &ledger = parts.ledger;
  std::vector<std::string> lines = {absl::StrCat(
      "GPU ", parts.gpu.device, " (", parts.gpu.name,
      "): ", bytesText(ledger.total() - ledger.free()), " of ",
      bytesText(ledger.total()), " taken: ", ledger.text(),
      "; page-locked on the host ", bytesText(parts.staging->bytes()))};
  for (const std::string &text :
       {messagesText(), parts.gemms.text(), parts.cudnn.text()})
    if (!text.empty())
      lines.push_back(text);
  return lines;
}

} // namespace cuda

absl::StatusOr<std::unique_ptr<Device>>
createCudaDevice(const RankPlan &rank, CommunicatorFactory &factory,
                 const CudaOptions &options) {
  auto device = std::make_unique<cuda::CudaDevice>(rank, factory, options);
  if (absl::Status status = device->setUp(); !status.ok())
    return status;
  return device;
}

} // namespace orrery::runtime
