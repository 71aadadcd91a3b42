// Plays every rank of a toy plan in one process.
#include "test/runtime/checkpoint/ToyRun.h"

#include "runtime/checkpoint/CheckpointFolder.h"
#include "runtime/checkpoint/InitialWeights.h"
#include "runtime/checkpoint/TensorBox.h"
#include "runtime/plan/ParameterShard.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace orrery::test {

using namespace runtime;

ToyRun::ToyRun(plan::Plan plan)
    : thePlan(std::make_unique<plan::Plan>(std::move(plan))) {
  Mesh mesh = *Mesh::create(thePlan->mesh());
  for (int32_t rank = 0; rank < mesh.worldSize(); ++rank) {
    ranks.push_back(*RankPlan::create(*thePlan, rank));
    // Not zero, so that what loading forgets is seen.
    arenas.emplace_back(ranks.back().member->arena_bytes(), std::byte{0x5a});
  }
}

void ToyRun::start() {
  for (size_t i = 0; i < ranks.size(); ++i) {
    initializeWeights(ranks[i], arenas[i].data());
    for (const ParameterShard &shard : shardsOf(ranks[i])) {
      const plan::Bucket &bucket = ranks[i].rankClass->buckets(
          static_cast<int>(shard.parameter->bucket()));
      for (const plan::Bucket::State &state : bucket.states()) {
        if (state.name() == "master")
          continue;
        // A function of name and global index.
        Box whole{std::vector<int64_t>(shard.globalShape.size(), 0),
                  shard.globalShape};
        std::vector<float> global(whole.elements());
        for (size_t e = 0; e < global.size(); ++e)
          global[e] = static_cast<float>(
              std::hash<std::string>()(state.name() + shard.name) % 1000 + e);
        copyIntersection(
            {whole, plan::F32,
             reinterpret_cast<const std::byte *>(global.data())},
            {shard.box, plan::F32,
             shardAddress(ranks[i], shard, state.buffer(), arenas[i].data())});
      }
    }
  }
}

absl::Status ToyRun::save(const std::string &directory,
                          const TrainingState &state) {
  CheckpointWriter writer(*thePlan, directory, state.step);
  if (absl::Status status = writer.prepare(); !status.ok())
    return status;
  for (size_t i = 0; i < ranks.size(); ++i)
    if (absl::Status status = writer.writeShard(ranks[i], arenas[i].data());
        !status.ok())
      return status;
  return writer.publish(state);
}

absl::StatusOr<LoadResult> ToyRun::load(const std::string &path) {
  absl::StatusOr<LoadResult> first;
  for (size_t i = 0; i < ranks.size(); ++i) {
    absl::StatusOr<LoadResult> result =
        runtime::load(ranks[i], path, arenas[i].data());
    if (!result.ok())
      return result;
    if (i == 0)
      first = std::move(result);
  }
  return first;
}

/// Puts one shard into the global tensor; false when another rank put
/// something else there.
static bool place(std::vector<float> &global, const ParameterShard &shard,
                  plan::ElementType type, const std::byte *data) {
  Box whole{std::vector<int64_t>(shard.globalShape.size(), 0),
            shard.globalShape};
  if (global.empty())
    global.assign(whole.elements(), NAN);
  std::vector<float> before = global;
  copyIntersection(
      {shard.box, type, data},
      {whole, plan::F32, reinterpret_cast<std::byte *>(global.data())});
  for (size_t i = 0; i < global.size(); ++i)
    if (!std::isnan(before[i]) && before[i] != global[i])
      return false;
  return true;
}

Tensors ToyRun::gather(bool &agree) {
  Tensors tensors;
  agree = true;
  for (size_t i = 0; i < ranks.size(); ++i)
    for (const ParameterShard &shard : shardsOf(ranks[i])) {
      const plan::Bucket &bucket = ranks[i].rankClass->buckets(
          static_cast<int>(shard.parameter->bucket()));
      auto add = [&](const std::string &name, uint32_t buffer) {
        agree &=
            place(tensors[name], shard,
                  ranks[i].rankClass->buffers(static_cast<int>(buffer)).type(),
                  shardAddress(ranks[i], shard, buffer, arenas[i].data()));
      };
      add(shard.name, bucket.weight());
      for (const plan::Bucket::State &state : bucket.states())
        add(stateEntryName(state.name(), shard.name), state.buffer());
    }
  return tensors;
}

TrainingState toyState(int64_t step) {
  TrainingState state;
  state.step = step;
  state.optimizerStep = step - 1;
  state.consumedTrainSamples = step * 16;
  state.consumedValidSamples = 7;
  state.schedule = {1e-3, 1e-5, job::Train::CONSTANT, 0, 200, (step - 1) * 16};
  state.lossScale = {4294967296.0, 5, -2};
  return state;
}

std::string freshFolder(const std::string &name) {
  std::string path =
      ::testing::TempDir() + "orrery-" + std::to_string(getpid()) + "-" + name;
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

std::string readBytes(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

void writeBytes(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

} // namespace orrery::test
