// Training, validation, checkpoints.
#include "runtime/exec/Trainer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/checkpoint/CheckpointFolder.h"
#include "runtime/checkpoint/CheckpointReader.h"
#include "runtime/checkpoint/InitialWeights.h"
#include "runtime/comm/Agreement.h"
#include "runtime/device/Trace.h"
#include "runtime/exec/Benchmark.h"
#include "runtime/exec/CheckpointSaving.h"
#include "runtime/exec/LoadPlan.h"
#include "runtime/exec/Profile.h"
#include "runtime/log/Log.h"
#include "runtime/plan/AtomicFile.h"

#include <cerrno>
#include <filesystem>
#include <unistd.h>

namespace orrery::runtime {
namespace {

job::JobSpec withOptions(const job::JobSpec &from, const RunOptions &options) {
  job::JobSpec job = from;
  if (!options.data.empty()) {
    job.mutable_data()->clear_sources();
    job.mutable_data()->add_sources()->set_prefix(options.data);
  }
  if (!options.save.empty())
    job.mutable_runtime()->set_save(options.save);
  if (!options.load.empty())
    job.mutable_runtime()->set_load(options.load);
  return job;
}

// Whether the checkpoint is one of those in `folder`, by name alone: every rank
// comes to the same answer.
bool liesIn(const std::string &checkpoint, const std::string &folder) {
  auto normal = [](const std::string &path) {
    return (std::filesystem::path(path) / "").lexically_normal();
  };
  return !folder.empty() &&
         normal(parentDirectory(checkpoint)) == normal(folder);
}

} // namespace

Trainer::Trainer(const plan::Plan &plan, const RunOptions &options,
                 RankExecutor &executor, CommunicatorFactory &factory,
                 Trace *trace)
    : plan(plan), job(withOptions(plan.job(), options)), options(options),
      executor(executor), factory(factory), world(factory.world()),
      trace(trace), line(plan.job().train().train_iters(),
                         plan.job().runtime().log_interval()) {}

absl::Status Trainer::alone(const absl::Status &status) {
  if (!status.ok())
    factory.abort(status);
  return status;
}

absl::Status Trainer::loadWeights() {
  const std::string &path = job.runtime().load();
  // A folder named by the job need not exist yet: the first of several runs
  // finds nothing there.
  bool load = !path.empty();
  if (load && options.load.empty()) {
    load = std::filesystem::is_regular_file(path) ||
           !absl::IsNotFound(resolveCheckpoint(path).status());
    if (!load && world.rank() == 0)
      spdlog::warn("no checkpoint in '{}' yet: starting from new weights",
                   path);
  }
  // Ranks on hosts that do not share the folder must not part here.
  if (absl::Status status = agreeOnValue(
          world, load, absl::StrCat("answer to whether '", path, "' exists"));
      !status.ok())
    return status;
  absl::StatusOr<std::byte *> arena = executor.device().hostArena();
  if (absl::Status status = agree(world, arena.status()); !status.ok())
    return status;
  if (!load) {
    state = initialState(job);
    initializeWeights(executor.rankPlan(), *arena);
    return agree(world, executor.device().updateFromHost());
  }
  absl::StatusOr<LoadResult> loaded =
      runtime::load(executor.rankPlan(), path, *arena);
  absl::Status mine = loaded.status();
  if (mine.ok())
    mine = executor.device().updateFromHost();
  if (absl::Status status = agree(world, mine); !status.ok())
    return status;
  state = loaded->state;
  if (absl::Status status =
          agreeOnValue(world, state.step, absl::StrCat("step in '", path, "'"));
      !status.ok())
    return status;
  if (liesIn(loaded->path, job.runtime().save()))
    savedStep = state.step;
  if (world.rank() == 0) {
    spdlog::info("loaded '{}', step {}", loaded->path, state.step);
    for (const std::string &note : loaded->notes)
      spdlog::info("{}", note);
  }
  return absl::OkStatus();
}

// Finds out before the first step where checkpoints and trace cannot be
// written.
absl::Status Trainer::tryFolders() const {
  const std::string &save = job.runtime().save(), &trace = options.trace;
  std::error_code error;
  if (!save.empty())
    std::filesystem::create_directories(save, error);
  if (error)
    return errnoStatus(error.value(), absl::StrCat("make folder '", save, "'"));
  if (std::filesystem::is_directory(trace, error))
    return errnoStatus(EISDIR, absl::StrCat("write '", trace, "'"));
  for (const std::string &folder :
       {save, trace.empty() ? trace : parentDirectory(trace)})
    if (!folder.empty() && access(folder.c_str(), W_OK | X_OK) != 0)
      return errnoStatus(errno,
                         absl::StrCat("write into folder '", folder, "'"));
  return absl::OkStatus();
}

absl::Status Trainer::openOutputs() {
  absl::Status mine;
  if (world.rank() == 0)
    mine = tryFolders();
  if (absl::Status status = agree(world, mine); !status.ok())
    return status;
  // The last thing that can fail: it may empty a file of an earlier run.
  if (speaks() && !options.metrics.empty()) {
    absl::StatusOr<MetricsWriter> writer =
        MetricsWriter::open(options.metrics, state.step);
    mine = writer.status();
    if (writer.ok())
      metrics = *std::move(writer);
  }
  return agree(world, mine);
}

absl::Status Trainer::begin() {
  if (absl::Status status = loadWeights(); !status.ok())
    return status;
  // From here to the streams every rank computes the same.
  auto batches = MicrobatchCalculator::create(job.parallel());
  job::Train train = job.train();
  train.set_lr(state.schedule.maxLr);
  train.set_min_lr(state.schedule.minLr);
  train.set_decay(state.schedule.decay);
  train.set_lr_warmup_samples(state.schedule.warmupSamples);
  train.set_lr_decay_samples(state.schedule.decaySamples);
  auto rate = LearningRate::create(train);
  auto scaling = LossScaler::create(job);
  absl::Status mine;
  for (const absl::Status &status :
       {batches.status(), rate.status(), scaling.status()})
    if (mine.ok())
      mine = status;
  const int64_t total = job.train().train_iters();
  if (mine.ok() && options.steps > total)
    mine = absl::InvalidArgumentError(
        absl::StrCat("--steps ", options.steps, ": the job has ", total,
                     " steps (--train-iters); choose at most that"));
  if (absl::Status status = agree(world, mine); !status.ok())
    return status;
  calculator = *batches;
  learningRate = *rate;
  scaler = *scaling;
  scaler->restore({state.lossScale.scale, state.lossScale.growthTracker,
                   state.lossScale.hysteresis});
  lastStep = options.steps > 0 ? options.steps : total;
  if (absl::Status status = chooseBatch(); !status.ok())
    return status;
  if (absl::Status status =
          streams.open(job,
                       executor.rankPlan().mesh.coordinateOn(
                           "dp", executor.rankPlan().coordinate),
                       executor.readsData(), world);
      !status.ok())
    return status;
  return openOutputs();
}

absl::Status Trainer::chooseBatch() {
  const int64_t consumed = state.consumedTrainSamples;
  absl::StatusOr<int64_t> microbatches = calculator->microbatches(consumed);
  if (absl::Status status = agree(world, microbatches.status()); !status.ok())
    return status;
  batch = {calculator->globalBatchSize(consumed), *microbatches};
  return absl::OkStatus();
}

absl::Status Trainer::step() {
  if (absl::Status status = chooseBatch(); !status.ok())
    return status;
  const int64_t consumed = state.consumedTrainSamples;
  const bool profiled = options.profile && state.step + 1 == lastStep;
  if (profiled) {
    if (absl::Status status = world.barrier(); !status.ok())
      return status;
    profileTrace.start();
    executor.device().setTrace(&profileTrace);
  }
  const auto begin = std::chrono::steady_clock::now();
  StepRecord record;
  record.learningRate = learningRate->at(state.schedule.samples);
  record.lossScale = scaler->scale();
  record.globalBatchSize = batch.samples;
  absl::StatusOr<StepMetrics> result = executor.trainStep(
      {state.step + 1, batch.microbatches, record.learningRate, scaler->scale(),
       scaler->inverse(), state.optimizerStep + 1},
      [&](int64_t microbatch, BatchView view) {
        return streams.fill(Split::Train, consumed, microbatch, view);
      });
  if (profiled)
    executor.device().setTrace(trace);
  if (!result.ok())
    return alone(result.status());
  record.skipped = scaler->update(result->overflow);
  ++state.step;
  state.consumedTrainSamples += record.globalBatchSize;
  if (!record.skipped) {
    ++state.optimizerStep;
    state.schedule.samples += record.globalBatchSize;
  }
  record.step = state.step;
  record.consumedSamples = state.consumedTrainSamples;
  record.sequenceLength = job.model().seq_length();
  record.lmLoss = result->lmLoss.value_or(0);
  record.nextLearningRate = learningRate->at(state.schedule.samples);
  if (!record.skipped) { // what is not finite has no norm and no zeros
    record.gradNorm = result->gradNorm;
    record.numZeros = result->numZeros;
  }
  record.paramsNorm = result->paramsNorm;
  record.milliseconds = std::chrono::duration<double, std::milli>(
                            std::chrono::steady_clock::now() - begin)
                            .count();
  if (!profiled)
    measured.milliseconds.push_back(record.milliseconds);
  if (!measured.firstLoss)
    measured.firstLoss = record.lmLoss;
  measured.lastLoss = record.lmLoss;
  return alone(report(record));
}

absl::Status Trainer::reportSpeed() {
  double bytes = static_cast<double>(executor.device().memoryBytes());
  if (absl::Status status =
          world.allReduce(&bytes, &bytes, 1, plan::F64, Reduction::Max);
      !status.ok())
    return status;
  if (speaks())
    printLine(
        benchmarkLine(benchmarkOf(job, batch.samples, measured.milliseconds),
                      world.size(), static_cast<int64_t>(bytes),
                      measured.firstLoss.value_or(0), measured.lastLoss));
  return absl::OkStatus();
}

absl::Status Trainer::reportProfile() {
  const Profile profile = profileOf(profileTrace.all(), state.step);
  absl::StatusOr<DeviceCeilings> ceilings = executor.device().measureCeilings();
  if (!ceilings.ok())
    return alone(ceilings.status());
  // One after the other, so that lines do not mix.
  for (int rank = 0; rank < world.size(); ++rank) {
    if (rank == world.rank()) {
      if (rank == 0)
        for (const std::string &text : profileTable(profile, *ceilings))
          printLine(text);
      printLine(profileLine(profile, rank));
    }
    if (absl::Status status = world.barrier(); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status Trainer::report(StepRecord &record) {
  if (!speaks())
    return absl::OkStatus();
  if (std::optional<std::string> text = line.add(record))
    printLine(*text);
  return metrics ? metrics->write(metricsLine(record)) : absl::OkStatus();
}

absl::StatusOr<bool> Trainer::timeIsUp() {
  const int64_t limit = job.runtime().exit_duration_minutes();
  if (limit <= 0)
    return false;
  int32_t up =
      std::chrono::steady_clock::now() - started >= std::chrono::minutes(limit);
  if (absl::Status status =
          world.allReduce(&up, &up, 1, plan::I32, Reduction::Max);
      !status.ok())
    return status;
  return up != 0;
}

absl::Status Trainer::save() {
  if (options.benchmark || job.runtime().save().empty() ||
      savedStep == state.step)
    return absl::OkStatus();
  const LossScaler::State &scale = scaler->state();
  state.lossScale = {scale.scale, scale.good, scale.hysteresis};
  absl::StatusOr<std::byte *> arena = executor.device().hostArena();
  absl::Status status = agree(world, arena.status());
  if (status.ok())
    status = saveCheckpoint(executor.rankPlan(), *arena, job.runtime().save(),
                            state, world);
  if (!status.ok())
    return status;
  savedStep = state.step;
  if (world.rank() == 0)
    spdlog::info("saved step {} in '{}'", state.step, job.runtime().save());
  return absl::OkStatus();
}

absl::Status Trainer::evaluate(Split split, const std::string &place,
                               int64_t &consumed) {
  const int64_t iterations = job.runtime().eval_iters();
  double sum = 0;
  for (int64_t i = 0; i < iterations; ++i) {
    absl::StatusOr<std::optional<double>> loss = executor.evaluate(
        batch.microbatches, [&](int64_t microbatch, BatchView view) {
          return streams.fill(split, consumed, microbatch, view);
        });
    if (!loss.ok())
      return alone(loss.status());
    sum += loss->value_or(0);
    consumed += batch.samples;
  }
  if (!speaks())
    return absl::OkStatus();
  const double loss = sum / static_cast<double>(iterations);
  for (const std::string &text : validationLines(place, loss))
    printLine(text);
  return alone(metrics ? metrics->write(evaluationMetricsLine(
                             state.step, splitName(split), loss))
                       : absl::OkStatus());
}

absl::Status Trainer::afterStep(bool &stop) {
  if (options.benchmark)
    return absl::OkStatus();
  const job::Runtime &when = job.runtime();
  auto due = [&](int64_t interval) {
    return interval > 0 && state.step % interval == 0;
  };
  absl::Status status;
  if (due(when.eval_interval()) && streams.available(Split::Valid))
    status = evaluate(Split::Valid, absl::StrCat("iteration ", state.step),
                      state.consumedValidSamples);
  if (status.ok() && due(when.save_interval()))
    status = save();
  if (!status.ok())
    return status;
  absl::StatusOr<bool> up = timeIsUp();
  if (!up.ok())
    return alone(up.status());
  stop = *up || due(when.exit_interval());
  return stop ? save() : absl::OkStatus();
}

absl::Status Trainer::loop() {
  bool stop = false;
  while (!stop && state.step < lastStep) {
    if (absl::Status status = step(); !status.ok())
      return status;
    if (absl::Status status = afterStep(stop); !status.ok())
      return status;
  }
  if (!stop && !options.benchmark)
    if (absl::Status status = finish(); !status.ok())
      return status;
  // Behind what must not be lost.
  if (options.profile && !profileTrace.all().empty())
    if (absl::Status status = reportProfile(); !status.ok())
      return status;
  return options.benchmark ? reportSpeed() : absl::OkStatus();
}

absl::Status Trainer::finish() {
  const bool whole = state.step >= job.train().train_iters();
  if (whole && streams.available(Split::Valid))
    if (absl::Status status =
            evaluate(Split::Valid, "the end of training for val data",
                     state.consumedValidSamples);
        !status.ok())
      return status;
  if (absl::Status status = save(); !status.ok())
    return status;
  int64_t consumed = 0;
  if (!whole || !streams.available(Split::Test))
    return absl::OkStatus();
  return evaluate(Split::Test, "the end of training for test data", consumed);
}

absl::Status Trainer::run() {
  started = std::chrono::steady_clock::now();
  if (absl::Status status = begin(); !status.ok())
    return status;
  if (world.rank() == 0)
    for (const std::string &text : executor.device().memoryReport())
      spdlog::info("ranks {}; on rank 0 {}", world.size(), text);
  const std::string &target = executor.rankPlan().plan->target().name();
  if (world.rank() == 0 && !absl::StartsWith(target, "sm_"))
    for (const auto &[name, given] :
         {std::pair("--allow-tf32", options.allowTf32),
          std::pair("--nondeterministic", options.nondeterministic),
          std::pair("--no-product-search", options.noProductSearch),
          std::pair("--no-peer-memory", options.noPeerMemory)})
      if (given)
        spdlog::warn("{} is for GPUs: without effect on this plan for {}", name,
                     target);
  if (world.rank() == 0 && state.step >= lastStep)
    spdlog::warn("step {} is done already: nothing to train up to step {}",
                 state.step, lastStep);
  return loop();
}

absl::Status runPlan(const RunOptions &options, CommunicatorFactory &factory) {
  Communicator &world = factory.world();
  absl::StatusOr<plan::Plan> plan = loadPlan(options.plan, world);
  if (!plan.ok())
    return plan.status();
  auto executor = RankExecutor::create(*plan, factory, options);
  if (absl::Status status = agree(world, executor.status()); !status.ok())
    return status;
  Trace trace;
  if (!options.trace.empty()) {
    if (absl::Status status = world.barrier(); !status.ok())
      return status;
    trace.start();
    (*executor)->device().setTrace(&trace);
  }
  Trainer trainer(*plan, options, **executor, factory,
                  options.trace.empty() ? nullptr : &trace);
  if (absl::Status status = trainer.run(); !status.ok())
    return status;
  if (options.trace.empty())
    return absl::OkStatus();
  return agree(world, trace.write(options.trace, world));
}

} // namespace orrery::runtime
