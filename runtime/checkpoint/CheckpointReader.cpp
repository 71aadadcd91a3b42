// Opens, compares, verifies, and only then fills the arena.
#include "runtime/checkpoint/CheckpointReader.h"

#include "runtime/checkpoint/CheckpointFolder.h"
#include "runtime/checkpoint/InitialWeights.h"
#include "runtime/checkpoint/Manifest.h"
#include "runtime/checkpoint/TensorMatch.h"
#include "runtime/checkpoint/TensorSet.h"
#include "runtime/plan/AtomicFile.h"
#include "runtime/plan/ElementType.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

namespace orrery::runtime {
namespace {

/// Fills the buckets of one rank from a set of tensors.
class ArenaLoader {
public:
  ArenaLoader(const RankPlan &rank, const TensorSet &stored, bool optimizer,
              std::byte *arena)
      : rank(rank), stored(stored), optimizer(optimizer), arena(arena),
        shards(shardsOf(rank)) {}

  /// Checksums of everything that fill() will read.
  absl::Status verify() const;
  void fill() const;

private:
  const plan::Bucket &bucketOf(const ParameterShard &shard) const {
    return rank.rankClass->buckets(static_cast<int>(shard.parameter->bucket()));
  }
  plan::ElementType typeOf(uint32_t buffer) const {
    return rank.rankClass->buffers(static_cast<int>(buffer)).type();
  }
  std::string weightSource(const ParameterShard &shard) const;
  void readInto(const std::string &name, const ParameterShard &shard,
                uint32_t buffer) const {
    stored.read(name, {shard.box, typeOf(buffer),
                       shardAddress(rank, shard, buffer, arena)});
  }

  const RankPlan &rank;
  const TensorSet &stored;
  const bool optimizer;
  std::byte *const arena;
  const std::vector<ParameterShard> shards;
};

/// The entry that gives the weights: the stored ones when they have the type
/// of the plan or no masters beside them, else the masters.
std::string ArenaLoader::weightSource(const ParameterShard &shard) const {
  const StoredTensor *weights = stored.find(shard.name);
  std::string master = stateEntryName("master", shard.name);
  bool sameType =
      elementTypeOf(weights->dtype) == typeOf(bucketOf(shard).weight());
  return sameType || !stored.find(master) ? shard.name : master;
}

absl::Status ArenaLoader::verify() const {
  std::vector<std::string> problems;
  auto check = [&](const std::string &name, const Box &box) {
    if (absl::Status status = stored.verify(name, box); !status.ok())
      problems.push_back(std::string(status.message()));
  };
  for (const ParameterShard &shard : shards) {
    check(weightSource(shard), shard.box);
    if (!optimizer)
      continue;
    for (const plan::Bucket::State &state : bucketOf(shard).states())
      if (std::string name = stateEntryName(state.name(), shard.name);
          stored.find(name))
        check(name, shard.box);
  }
  if (problems.empty())
    return absl::OkStatus();
  return absl::DataLossError(absl::StrJoin(problems, "; "));
}

void ArenaLoader::fill() const {
  zeroBuckets(rank, arena);
  for (const ParameterShard &shard : shards) {
    std::string source = weightSource(shard);
    if (stored.find(source)->shape != shard.globalShape)
      initializeShard(rank, shard, bucketOf(shard).weight(), arena);
    readInto(source, shard, bucketOf(shard).weight());
  }
  resetOptimizerState(rank, arena);
  if (!optimizer)
    return;
  for (const ParameterShard &shard : shards)
    for (const plan::Bucket::State &state : bucketOf(shard).states()) {
      std::string name = stateEntryName(state.name(), shard.name);
      if (stored.find(name))
        readInto(name, shard, state.buffer());
      else // the masters of a 32-bit run are its weights
        readInto(shard.name, shard, state.buffer());
    }
}

absl::StatusOr<Manifest> readManifest(const std::string &folder) {
  std::string path = absl::StrCat(folder, "/", kManifestName);
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    return errnoStatus(errno, absl::StrCat("open '", path, "'"));
  std::ostringstream text;
  text << stream.rdbuf();
  return parseManifest(text.str(), path);
}

/// Fields of the model in which the job and the checkpoint differ.
absl::Status compareModels(const job::JobSpec &job, const Manifest &manifest,
                           bool optimizer) {
  std::vector<std::string> lines;
  std::map<std::string, std::string> ours = modelFields(job);
  for (const auto &[name, value] : ours) {
    auto it = manifest.model.find(name);
    std::string theirs = it == manifest.model.end() ? "absent" : it->second;
    if (theirs != value)
      lines.push_back(absl::StrCat(name, " is ", value, " in the job and ",
                                   theirs, " in the checkpoint"));
  }
  std::string wanted = job::Train::Optimizer_Name(job.train().optimizer());
  if (optimizer && manifest.optimizer.empty())
    lines.push_back("it has no optimizer state; load weights alone with "
                    "--no-load-optim or --finetune");
  else if (optimizer && manifest.optimizer != wanted)
    lines.push_back(absl::StrCat("optimizer is ", wanted, " in the job and ",
                                 manifest.optimizer, " in the checkpoint"));
  if (lines.empty())
    return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the checkpoint is of another job: ", absl::StrJoin(lines, "; ")));
}

absl::StatusOr<TrainingState> stateToGoOnWith(const job::JobSpec &job,
                                              const TrainingState &saved,
                                              bool optimizer,
                                              LoadResult &result) {
  TrainingState state = initialState(job);
  // The data position is kept even where the rest begins anew.
  state.consumedTrainSamples = saved.consumedTrainSamples;
  state.consumedValidSamples = saved.consumedValidSamples;
  if (job.runtime().finetune()) {
    result.notes.push_back("fine-tuning: weights only, step 0");
    return state;
  }
  state.step = saved.step;
  if (!optimizer) {
    result.notes.push_back(
        "optimizer state, loss scale and learning-rate position begin anew");
    return state;
  }
  state.optimizerStep = saved.optimizerStep;
  state.lossScale = saved.lossScale;
  absl::StatusOr<ScheduleState> schedule =
      resumeSchedule(job, saved.schedule, result.notes);
  if (!schedule.ok())
    return schedule.status();
  state.schedule = *schedule;
  return state;
}

absl::StatusOr<LoadResult>
loadFolder(const RankPlan &rank, const std::string &folder, std::byte *arena) {
  const job::JobSpec &job = rank.plan->job();
  bool optimizer = job.runtime().load_optimizer() && !job.runtime().finetune();
  absl::StatusOr<Manifest> manifest = readManifest(folder);
  if (!manifest.ok())
    return manifest.status();
  if (absl::Status status = compareModels(job, *manifest, optimizer);
      !status.ok())
    return status;
  absl::StatusOr<TensorSet> stored =
      TensorSet::openCheckpoint(folder, *manifest);
  if (!stored.ok())
    return stored.status();
  LoadResult result{folder, true, {}, {}};
  absl::StatusOr<TrainingState> state =
      stateToGoOnWith(job, manifest->state, optimizer, result);
  if (!state.ok())
    return state.status();
  result.state = *state;
  if (absl::Status status =
          matchTensors(*rank.plan, *stored, optimizer, result.notes);
      !status.ok())
    return status;
  ArenaLoader loader(rank, *stored, optimizer, arena);
  if (absl::Status status = loader.verify(); !status.ok())
    return status;
  loader.fill();
  return result;
}

absl::StatusOr<LoadResult>
loadWeights(const RankPlan &rank, const std::string &path, std::byte *arena) {
  absl::StatusOr<TensorSet> stored = TensorSet::openFile(path);
  if (!stored.ok())
    return stored.status();
  LoadResult result{path, false, initialState(rank.plan->job()), {}};
  if (absl::Status status =
          matchTensors(*rank.plan, *stored, false, result.notes);
      !status.ok())
    return absl::Status(status.code(),
                        absl::StrCat("'", path, "': ", status.message()));
  ArenaLoader loader(rank, *stored, false, arena);
  if (absl::Status status = loader.verify(); !status.ok())
    return status;
  loader.fill();
  return result;
}

/// Adds to an error of `folder` which other checkpoints lie beside it.
absl::Status withFallback(const absl::Status &status,
                          const std::string &folder) {
  std::vector<std::string> others;
  for (const std::string &path : checkpointsIn(parentDirectory(folder)))
    if (std::error_code error;
        !std::filesystem::equivalent(path, folder, error))
      others.push_back(path);
  return absl::Status(
      status.code(),
      absl::StrCat("cannot load checkpoint '", folder, "': ", status.message(),
                   "; other checkpoints there: ",
                   others.empty() ? "none" : absl::StrJoin(others, ", ")));
}

} // namespace

absl::StatusOr<LoadResult> load(const RankPlan &rank, const std::string &path,
                                std::byte *arena) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    return errnoStatus(errno, absl::StrCat("load '", path, "'"));
  if (!S_ISDIR(info.st_mode))
    return loadWeights(rank, path, arena);
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/')
    trimmed.pop_back();
  absl::StatusOr<std::string> folder = resolveCheckpoint(trimmed);
  if (!folder.ok())
    return absl::IsNotFound(folder.status())
               ? withFallback(folder.status(), trimmed)
               : folder.status();
  absl::StatusOr<LoadResult> result = loadFolder(rank, *folder, arena);
  if (!result.ok())
    return withFallback(result.status(), *folder);
  return result;
}

} // namespace orrery::runtime
