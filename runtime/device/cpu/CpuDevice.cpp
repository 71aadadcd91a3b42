// Setting up a rank on CPUs and running its schedules.
#include "runtime/device/cpu/CpuDevice.h"

#include "absl/strings/str_cat.h"
#include "runtime/device/ArenaRanges.h"
#include "runtime/device/Groups.h"
#include "runtime/device/HostScalars.h"
#include "runtime/device/cpu/Arena.h"
#include "runtime/device/cpu/Prepare.h"
#include "runtime/device/cpu/ScheduleRunner.h"

#include <algorithm>
#include <cstring>

namespace orrery::runtime {
namespace {

class CpuDevice : public Device {
public:
  CpuDevice(const RankPlan &rank, int threads)
      : rank(rank), threads(threads),
        keys(rank.plan->job().train().seed(), rank.member->first_layer()) {}

  absl::Status prepare(CommunicatorFactory &factory);

  absl::Status run(const ScheduleRun &run, const BatchReader &reader) override;
  std::optional<double> scalar(std::string_view name) const override {
    return scalars->read(name);
  }
  bool readsData() const override { return feeder.needed(); }
  absl::StatusOr<std::byte *> hostArena() override { return memory.data(); }
  absl::Status updateFromHost() override { return absl::OkStatus(); }
  std::vector<std::string> memoryReport() const override {
    return {absl::StrCat("threads ", threads, ", arena ", memory.size(),
                         " bytes, scratch ", scratch.size(), " bytes")};
  }
  int64_t memoryBytes() const override {
    return memory.size() + scratch.size();
  }
  void setTrace(Trace *to) override { trace = to; }

private:
  void clearGradients();

  const RankPlan &rank;
  int threads;
  Groups groups;
  Arena memory, scratch; // scratch: attention tiles, packed collectives
  KernelModule kernels;
  StepKeys keys;
  std::vector<ArenaRange> cleared; // when a training step begins
  std::deque<PreparedProgram> programs;
  std::optional<HostScalars> scalars;
  InputFeeder feeder;
  std::optional<ScheduleRunner> train, evaluation;
  Trace *trace = nullptr;
};

} // namespace

absl::Status CpuDevice::prepare(CommunicatorFactory &factory) {
  absl::StatusOr<Groups> made = createGroups(rank, factory);
  if (!made.ok())
    return made.status();
  groups = *std::move(made);
  absl::StatusOr<KernelModule> module = KernelModule::load(*rank.plan);
  if (!module.ok())
    return module.status();
  kernels = *std::move(module);
  kernels::setGemmThreads(threads);
  absl::StatusOr<Arena> arena = Arena::create(
      static_cast<int64_t>(rank.member->arena_bytes()), threads, "the arena");
  if (!arena.ok())
    return arena.status();
  memory = *std::move(arena);
  PrepareContext context = {rank,   memory.data(), kernels,
                            groups, keys,          threads};
  for (const plan::Program &program : rank.rankClass->programs()) {
    absl::StatusOr<PreparedProgram> prepared = prepareProgram(program, context);
    if (!prepared.ok())
      return prepared.status();
    programs.push_back(*std::move(prepared));
  }
  arena = Arena::create(context.scratchBytes, threads, "scratch");
  if (!arena.ok())
    return arena.status();
  scratch = *std::move(arena);
  cleared = rangesToClear(rank);
  scalars.emplace(rank, memory.data());
  absl::StatusOr<InputFeeder> inputs = InputFeeder::create(rank, memory.data());
  if (!inputs.ok())
    return inputs.status();
  feeder = *std::move(inputs);
  train.emplace(rank, rank.rankClass->train(), programs);
  evaluation.emplace(rank, rank.rankClass->evaluate(), programs);
  return absl::OkStatus();
}

void CpuDevice::clearGradients() {
  for (const ArenaRange &range : cleared) {
    std::byte *begin = memory.data() + range.begin;
    const int64_t bytes = static_cast<int64_t>(range.bytes());
    constexpr int64_t kPiece = 1 << 18;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t first = 0; first < bytes; first += kPiece)
      std::memset(begin + first, 0,
                  static_cast<size_t>(std::min(kPiece, bytes - first)));
  }
}

absl::Status CpuDevice::run(const ScheduleRun &run, const BatchReader &reader) {
  if (run.train) {
    keys.beginStep(run.step);
    clearGradients();
  }
  scalars->clearMetrics();
  for (const NamedScalar &scalar : run.scalars)
    scalars->set(scalar.name, scalar.value);
  return (run.train ? train : evaluation)
      ->run(run.step, run.microbatches, feeder, reader,
            {keys, scratch.data(), threads}, trace);
}

absl::StatusOr<std::unique_ptr<Device>>
createCpuDevice(const RankPlan &rank, CommunicatorFactory &factory,
                int threads) {
  auto device = std::make_unique<CpuDevice>(rank, threads);
  if (absl::Status status = device->prepare(factory); !status.ok())
    return status;
  return device;
}

} // namespace orrery::runtime
