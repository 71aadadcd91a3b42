// Shards, manifest, one rename, latest: the steps drawn in CheckpointWriter.h.
#include "runtime/checkpoint/CheckpointWriter.h"

#include "runtime/checkpoint/CheckpointFolder.h"
#include "runtime/checkpoint/Manifest.h"
#include "runtime/checkpoint/Safetensors.h"
#include "runtime/checkpoint/SafetensorsWriter.h"
#include "runtime/checkpoint/TensorSet.h"
#include "runtime/plan/AtomicFile.h"
#include "runtime/plan/ElementType.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include <nlohmann/json.hpp>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>

namespace orrery::runtime {

namespace fs = std::filesystem;
using Json = nlohmann::json;

CheckpointWriter::CheckpointWriter(const plan::Plan &plan,
                                   std::string directory, int64_t step)
    : plan(plan), directory(std::move(directory)), step(step) {
  temporary = absl::StrCat(this->directory, "/", kTemporaryPrefix,
                           stepFolderName(step));
  final = absl::StrCat(this->directory, "/", stepFolderName(step));
}

static absl::Status removeFolder(const std::string &path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error)
    return errnoStatus(error.value(), absl::StrCat("remove '", path, "'"));
  return absl::OkStatus();
}

static absl::Status removeLeftovers(const std::string &directory) {
  std::error_code error;
  std::vector<std::string> paths = listFolder(directory, error);
  if (error)
    return errnoStatus(error.value(),
                       absl::StrCat("list folder '", directory, "'"));
  for (const std::string &path : paths)
    if (absl::StartsWith(fs::path(path).filename().string(), kTemporaryPrefix))
      if (absl::Status status = removeFolder(path); !status.ok())
        return status;
  return absl::OkStatus();
}

absl::Status CheckpointWriter::prepare() {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error)
    return errnoStatus(error.value(),
                       absl::StrCat("make folder '", directory, "'"));
  if (absl::Status status = removeLeftovers(directory); !status.ok())
    return status;
  if (mkdir(temporary.c_str(), 0755) != 0)
    return errnoStatus(errno, absl::StrCat("make folder '", temporary, "'"));
  return absl::OkStatus();
}

namespace {

/// The entries of one rank's file and their descriptions.
struct ShardEntries {
  std::vector<TensorSource> tensors;
  Json shards = Json::object();

  void add(const RankPlan &rank, const ParameterShard &shard,
           const std::string &name, uint32_t buffer, const std::byte *arena) {
    plan::ElementType type =
        rank.rankClass->buffers(static_cast<int>(buffer)).type();
    const std::byte *data =
        shardAddress(rank, shard, buffer, const_cast<std::byte *>(arena));
    size_t bytes =
        static_cast<size_t>(shard.box.elements() * elementBytes(type));
    tensors.push_back(
        {name, elementName(type), shard.box.shape, {data, bytes}});
    shards[name] = {{"shape", shard.globalShape},
                    {"offset", shard.box.offset},
                    {"xxh3", hexOf(XXH3_64bits(data, bytes))}};
  }
};

bool writesAnything(const RankPlan &rank) {
  std::vector<ParameterShard> shards = shardsOf(rank);
  return std::any_of(shards.begin(), shards.end(),
                     [](const ParameterShard &s) { return s.writer; });
}

std::map<std::string, int64_t> layoutOf(const Mesh &mesh) {
  std::map<std::string, int64_t> layout;
  for (size_t axis = 0; axis < mesh.numAxes(); ++axis)
    layout[mesh.axisName(axis)] = mesh.axisSize(axis);
  return layout;
}

/// Sizes and header checksums of the files of every rank that writes.
absl::StatusOr<std::vector<FileRecord>> recordFiles(const plan::Plan &plan,
                                                    const std::string &folder) {
  std::vector<FileRecord> files;
  absl::StatusOr<Mesh> mesh = Mesh::create(plan.mesh());
  if (!mesh.ok())
    return mesh.status();
  for (int32_t number = 0; number < mesh->worldSize(); ++number) {
    absl::StatusOr<RankPlan> rank = RankPlan::create(plan, number);
    if (!rank.ok())
      return rank.status();
    if (!writesAnything(*rank))
      continue;
    std::string name = rankFileName(number);
    absl::StatusOr<SafetensorsFile> file =
        SafetensorsFile::open(absl::StrCat(folder, "/", name));
    if (!file.ok())
      return absl::Status(file.status().code(),
                          absl::StrCat("rank ", number,
                                       " did not write its "
                                       "part: ",
                                       file.status().message()));
    files.push_back({name, file->fileBytes(), file->headerChecksum()});
  }
  return files;
}

/// Puts `temporary` in the place of `final`, which may exist.
absl::Status publishFolder(const std::string &temporary,
                           const std::string &final) {
  if (rename(temporary.c_str(), final.c_str()) == 0)
    return absl::OkStatus();
  if (errno == ENOTEMPTY || errno == EEXIST) {
    // Both names change in one step; the old folder becomes the leftover.
    if (renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, final.c_str(),
                  RENAME_EXCHANGE) == 0)
      return absl::OkStatus();
  }
  return errnoStatus(errno,
                     absl::StrCat("rename '", temporary, "' to '", final, "'"));
}

} // namespace

absl::Status CheckpointWriter::writeShard(const RankPlan &rank,
                                          const std::byte *arena) {
  ShardEntries entries;
  bool withOptimizer = plan.job().runtime().save_optimizer();
  for (const ParameterShard &shard : shardsOf(rank)) {
    if (!shard.writer)
      continue;
    const plan::Bucket &bucket =
        rank.rankClass->buckets(static_cast<int>(shard.parameter->bucket()));
    entries.add(rank, shard, shard.name, bucket.weight(), arena);
    if (withOptimizer)
      for (const plan::Bucket::State &state : bucket.states())
        entries.add(rank, shard, stateEntryName(state.name(), shard.name),
                    state.buffer(), arena);
  }
  if (entries.tensors.empty())
    return absl::OkStatus();
  return writeSafetensors(absl::StrCat(temporary, "/", rankFileName(rank.rank)),
                          std::move(entries.tensors),
                          {{kShardsKey, entries.shards.dump()}});
}

absl::Status CheckpointWriter::publish(
    const TrainingState &state,
    const std::function<absl::Status(PublishStep)> &afterStep) {
  auto reached = [&](PublishStep step) {
    return afterStep ? afterStep(step) : absl::OkStatus();
  };
  absl::StatusOr<Mesh> mesh = Mesh::create(plan.mesh());
  if (!mesh.ok())
    return mesh.status();
  absl::StatusOr<std::vector<FileRecord>> files = recordFiles(plan, temporary);
  if (!files.ok())
    return files.status();
  bool withOptimizer = plan.job().runtime().save_optimizer();
  absl::StatusOr<std::string> manifest = writeManifest(
      {state, modelFields(plan.job()),
       withOptimizer
           ? job::Train::Optimizer_Name(plan.job().train().optimizer())
           : "",
       layoutOf(*mesh), *std::move(files)});
  if (!manifest.ok())
    return manifest.status();
  absl::Status status = writeFileAtomically(
      absl::StrCat(temporary, "/", kManifestName), {*manifest});
  if (status.ok())
    status = reached(PublishStep::MANIFEST_WRITTEN);
  if (status.ok())
    status = publishFolder(temporary, final);
  if (status.ok())
    status = syncDirectory(directory);
  if (status.ok())
    status = reached(PublishStep::FOLDER_RENAMED);
  if (status.ok())
    status = writeFileAtomically(absl::StrCat(directory, "/", kLatestName),
                                 {absl::StrCat(stepFolderName(step), "\n")});
  if (status.ok())
    status = reached(PublishStep::LATEST_WRITTEN);
  if (status.ok())
    status = removeLeftovers(directory);
  if (status.ok())
    status = reached(PublishStep::LEFTOVERS_REMOVED);
  return status;
}

} // namespace orrery::runtime
