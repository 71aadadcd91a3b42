// Setting up a rank and running its steps.
#include "runtime/exec/RankExecutor.h"

#include "absl/strings/str_cat.h"
#include "runtime/device/cpu/Prepare.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace orrery::runtime {

RankExecutor::RankExecutor(RankPlan plan, int threads)
    : rank(std::move(plan)), threads(threads),
      beta1(rank.plan->job().train().adam_beta1()),
      beta2(rank.plan->job().train().adam_beta2()),
      keys(rank.plan->job().train().seed(), rank.member->first_layer()) {}

absl::StatusOr<std::unique_ptr<RankExecutor>>
RankExecutor::create(const plan::Plan &plan, CommunicatorFactory &factory,
                     int threads) {
  absl::StatusOr<RankPlan> rank = RankPlan::create(plan, factory.rank());
  if (!rank.ok())
    return rank.status();
  std::unique_ptr<RankExecutor> executor(
      new RankExecutor(*std::move(rank), threads));
  if (absl::Status status = executor->prepare(factory); !status.ok())
    return status;
  return executor;
}

absl::Status RankExecutor::prepare(CommunicatorFactory &factory) {
  absl::StatusOr<Groups> made = createGroups(rank, factory);
  if (!made.ok())
    return made.status();
  groups = *std::move(made);
  // Before the arena: a plan for a GPU may want more memory than is here, and
  // the target is the error to name.
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
  scalars.emplace(rank, memory.data());
  absl::StatusOr<InputFeeder> inputs = InputFeeder::create(rank, memory.data());
  if (!inputs.ok())
    return inputs.status();
  feeder = *std::move(inputs);
  train.emplace(rank, rank.rankClass->train(), programs);
  evaluation.emplace(rank, rank.rankClass->evaluate(), programs);
  return absl::OkStatus();
}

void RankExecutor::clearGradients() {
  for (const plan::Buffer &buffer : rank.rankClass->buffers()) {
    if (buffer.kind() != plan::Buffer::GRADIENT)
      continue;
    std::byte *begin = memory.data() + buffer.offset();
    const int64_t bytes = static_cast<int64_t>(buffer.bytes());
    constexpr int64_t kPiece = 1 << 18;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t first = 0; first < bytes; first += kPiece)
      std::memset(begin + first, 0,
                  static_cast<size_t>(std::min(kPiece, bytes - first)));
  }
}

absl::StatusOr<StepMetrics>
RankExecutor::trainStep(const StepSettings &settings,
                        const BatchReader &reader) {
  const double t = static_cast<double>(settings.optimizerStep);
  keys.beginStep(settings.step);
  clearGradients();
  scalars->clearMetrics();
  scalars->set("lr", settings.learningRate);
  scalars->set("loss_seed", static_cast<double>(settings.lossScale) /
                                static_cast<double>(settings.microbatches));
  scalars->set("inverse_scale", settings.inverseScale);
  scalars->set("correction1", 1 - std::pow(beta1, t));
  scalars->set("correction2", 1 - std::pow(beta2, t));
  absl::Status status =
      train->run(settings.step, settings.microbatches, feeder, reader,
                 {keys, scratch.data(), threads}, trace);
  if (!status.ok())
    return absl::Status(status.code(),
                        absl::StrCat("rank ", rank.rank, ", step ",
                                     settings.step, ", ", status.message()));
  StepMetrics metrics;
  if (std::optional<double> sum = scalars->read("lm_loss"))
    metrics.lmLoss = *sum / static_cast<double>(settings.microbatches);
  metrics.gradNorm = scalars->read("grad_norm");
  metrics.paramsNorm = scalars->read("params_norm");
  metrics.numZeros = scalars->read("num_zeros");
  metrics.overflow = scalars->read("overflow").value_or(0) != 0;
  return metrics;
}

absl::StatusOr<std::optional<double>>
RankExecutor::evaluate(int64_t microbatches, const BatchReader &reader) {
  scalars->clearMetrics();
  absl::Status status = evaluation->run(0, microbatches, feeder, reader,
                                        {keys, scratch.data(), threads}, trace);
  if (!status.ok())
    return absl::Status(
        status.code(),
        absl::StrCat("rank ", rank.rank, ", evaluation, ", status.message()));
  std::optional<double> loss = scalars->read("lm_loss");
  if (loss)
    *loss /= static_cast<double>(microbatches);
  return loss;
}

} // namespace orrery::runtime
