// Any layout reads any checkpoint, and what does not fit is named.
#include "runtime/checkpoint/CheckpointFolder.h"
#include "runtime/checkpoint/Safetensors.h"
#include "runtime/checkpoint/SafetensorsWriter.h"
#include "test/runtime/checkpoint/ToyRun.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

namespace orrery::runtime {
namespace {

using test::freshFolder;
using test::Tensors;
using test::ToyLayout;
using test::ToyRun;

/// Layouts of 1 to 8 ranks with one padded vocabulary (32).
std::vector<ToyLayout> layouts() {
  return {{.paddedTo = 32},
          {.tp = 2, .paddedTo = 16},
          {.tp = 4, .paddedTo = 8},
          {.pp = 2, .paddedTo = 32},
          {.pp = 4, .paddedTo = 32},
          {.dp = 2, .paddedTo = 32},
          {.pp = 2, .tp = 2, .paddedTo = 16},
          {.dp = 2, .tp = 2, .paddedTo = 16},
          {.pp = 2, .dp = 2, .tp = 2, .paddedTo = 16}};
}

TEST(Checkpoint, AnyLayoutReadsAnyLayout) {
  for (const ToyLayout &writer : layouts()) {
    std::string folder = freshFolder("layouts");
    ToyRun written(writer);
    written.start();
    ASSERT_TRUE(written.save(folder, test::toyState(20)).ok());
    bool agree;
    Tensors expected = written.gather(agree);
    ASSERT_TRUE(agree);
    for (const ToyLayout &reader : layouts()) {
      ToyRun read(reader);
      absl::StatusOr<LoadResult> result = read.load(folder);
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->state, test::toyState(20));
      EXPECT_TRUE(result->hasState);
      EXPECT_TRUE(result->notes.empty());
      EXPECT_EQ(read.gather(agree), expected);
      EXPECT_TRUE(agree);
    }
  }
}

TEST(Checkpoint, EveryElementIsWrittenOnce) {
  std::string folder = freshFolder("once");
  ToyRun run({.pp = 2, .dp = 2, .tp = 2});
  run.start();
  ASSERT_TRUE(run.save(folder, test::toyState(20)).ok());
  std::set<std::string> names;
  uint64_t bytes = 0;
  for (const auto &entry :
       std::filesystem::directory_iterator(folder + "/step_00000020")) {
    names.insert(entry.path().filename().string());
    if (entry.path().extension() != ".safetensors")
      continue;
    absl::StatusOr<SafetensorsFile> file =
        SafetensorsFile::open(entry.path().string());
    ASSERT_TRUE(file.ok());
    for (const TensorEntry &tensor : file->tensors())
      bytes += tensor.end - tensor.begin;
  }
  // Of ranks (pp, dp, tp) those at dp 0: 0, 1, 4, 5.
  EXPECT_EQ(names, (std::set<std::string>{
                       "manifest.json", "rank_00000.safetensors",
                       "rank_00001.safetensors", "rank_00004.safetensors",
                       "rank_00005.safetensors"}));
  bool agree;
  uint64_t elements = 0;
  for (const auto &[name, values] : run.gather(agree))
    elements += values.size();
  EXPECT_EQ(bytes, elements * 4);
}

TEST(Checkpoint, LatestIsTheNewestUnlessOneIsNamed) {
  std::string folder = freshFolder("latest");
  ToyRun run(ToyLayout{});
  run.start();
  ASSERT_TRUE(run.save(folder, test::toyState(10)).ok());
  ASSERT_TRUE(run.save(folder, test::toyState(20)).ok());
  EXPECT_EQ(run.load(folder)->state.step, 20);
  EXPECT_EQ(run.load(folder + "/step_00000010")->state.step, 10);
  EXPECT_EQ(run.load(folder + "/step_00000010/")->path,
            folder + "/step_00000010");
  EXPECT_EQ(run.load(folder + "/none").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(run.load(freshFolder("empty")).status().code(),
            absl::StatusCode::kNotFound);
}

/// Padded to 24 at tp 1 (multiple 8) and to 32 at tp 4; 20 tokens.
TEST(Checkpoint, PaddedRowsOfTheVocabularyMayDiffer) {
  std::string folder = freshFolder("vocabulary");
  ToyRun narrow(ToyLayout{}), wide({.tp = 4});
  narrow.start();
  wide.start();
  bool agree;
  Tensors fromNarrow = narrow.gather(agree), fresh = wide.gather(agree);
  ASSERT_TRUE(narrow.save(folder, test::toyState(1)).ok());
  // Other values first, so that rows that are left alone are seen.
  absl::StatusOr<LoadResult> result = wide.load(folder);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->notes.size(), 1u);
  EXPECT_NE(result->notes[0].find("rows 24..31 are initialised"),
            std::string::npos)
      << result->notes[0];
  Tensors widened = wide.gather(agree);
  EXPECT_TRUE(agree);
  for (size_t i = 0; i < 32 * 8; ++i) {
    EXPECT_EQ(widened["embedding.weight"][i],
              i < 24 * 8 ? fromNarrow["embedding.weight"][i]
                         : fresh["embedding.weight"][i]);
    EXPECT_EQ(widened["optimizer.exp_avg.embedding.weight"][i],
              i < 24 * 8 ? fromNarrow["optimizer.exp_avg.embedding.weight"][i]
                         : 0);
  }
  ASSERT_TRUE(wide.save(folder, test::toyState(2)).ok());
  result = narrow.load(folder);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NE(result->notes[0].find("rows 24..31 are dropped"), std::string::npos)
      << result->notes[0];
  EXPECT_EQ(narrow.gather(agree), fromNarrow);
}

TEST(Checkpoint, RowsOfTheVocabularyItselfMayNotBeMissing) {
  std::string folder = freshFolder("tokens");
  ToyRun run(ToyLayout{});
  run.start();
  ASSERT_TRUE(run.save(folder, test::toyState(1)).ok());
  // As if the tokenizer of both had 28 tokens: 24 rows are too few.
  ToyRun wide({.tp = 4, .vocabulary = 28});
  absl::Status status = wide.load(folder).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("vocab_size is 28 in the job and 20"),
            std::string::npos)
      << status;
}

TEST(Checkpoint, OfAnotherModelIsRefused) {
  std::string folder = freshFolder("model");
  ToyRun run(ToyLayout{});
  run.start();
  ASSERT_TRUE(run.save(folder, test::toyState(1)).ok());
  ToyRun other({.layers = 8, .hidden = 16});
  absl::Status status = other.load(folder).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  for (const char *words : {"num_layers is 8 in the job and 4",
                            "hidden_size is 16 in the job and 8",
                            "other "
                            "checkpoints there: none"})
    EXPECT_NE(status.message().find(words), std::string::npos) << status;
}

TEST(Checkpoint, DifferentScheduleNeedsAChoice) {
  std::string folder = freshFolder("schedule");
  ToyRun run(ToyLayout{});
  run.start();
  ASSERT_TRUE(run.save(folder, test::toyState(5)).ok());
  job::Train &train = *run.plan().mutable_job()->mutable_train();
  train.set_lr(5e-4);
  absl::Status status = run.load(folder).status();
  EXPECT_NE(
      status.message().find("learning rate is 0.0005 in the job and 0.001"),
      std::string::npos)
      << status;
  train.set_override_lr_scheduler(true);
  EXPECT_EQ(run.load(folder)->state.schedule.maxLr, 5e-4);
  EXPECT_EQ(run.load(folder)->state.schedule.samples, 64);
  train.set_override_lr_scheduler(false);
  train.set_use_checkpoint_lr_scheduler(true);
  EXPECT_EQ(run.load(folder)->state.schedule.maxLr, 1e-3);
  EXPECT_EQ(run.load(folder)->notes.size(), 1u);
}

TEST(Checkpoint, FineTuningTakesWeightsOnly) {
  std::string folder = freshFolder("finetune");
  ToyRun run(ToyLayout{});
  run.start();
  ASSERT_TRUE(run.save(folder, test::toyState(5)).ok());
  run.plan().mutable_job()->mutable_runtime()->set_finetune(true);
  absl::StatusOr<LoadResult> result = run.load(folder);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->state.step, 0);
  EXPECT_EQ(result->state.optimizerStep, 0);
  EXPECT_EQ(result->state.consumedTrainSamples, 80);
  bool agree;
  Tensors tensors = run.gather(agree);
  EXPECT_EQ(tensors["optimizer.exp_avg.final.norm"],
            std::vector<float>(8, 0.0f));
}

TEST(Checkpoint, WithoutOptimizerStateSaysSo) {
  std::string folder = freshFolder("weights-only");
  ToyRun run(ToyLayout{});
  run.start();
  job::Runtime &runtime = *run.plan().mutable_job()->mutable_runtime();
  runtime.set_save_optimizer(false);
  ASSERT_TRUE(run.save(folder, test::toyState(5)).ok());
  EXPECT_NE(run.load(folder).status().message().find("--no-load-optim"),
            std::string::npos);
  runtime.set_load_optimizer(false);
  absl::StatusOr<LoadResult> result = run.load(folder);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->state.step, 5);
  EXPECT_EQ(result->state.schedule.samples, 0);
}

TEST(Checkpoint, KeepsMastersAcrossElementTypes) {
  std::string folder = freshFolder("types");
  ToyRun narrow({.tp = 2, .is16Bit = true}), wide({.pp = 2, .paddedTo = 16});
  narrow.start();
  // Masters that 16 bits cannot hold.
  ParameterShard shard = shardsOf(narrow.rank(0)).back();
  uint32_t masters = narrow.rank(0).rankClass->buckets(1).states(2).buffer();
  for (int32_t rank : {0, 1}) {
    float exact = 1.0001f;
    std::memcpy(
        shardAddress(narrow.rank(rank), shard, masters, narrow.arena(rank)),
        &exact, 4);
  }
  ASSERT_TRUE(narrow.save(folder, test::toyState(5)).ok());
  absl::StatusOr<LoadResult> result = wide.load(folder);
  ASSERT_TRUE(result.ok()) << result.status();
  bool agree;
  EXPECT_EQ(wide.gather(agree)["final.norm"][0], 1.0001f);
  ASSERT_TRUE(wide.save(folder, test::toyState(6)).ok());
  ASSERT_TRUE(narrow.load(folder).ok());
  EXPECT_EQ(narrow.gather(agree)["optimizer.master.final.norm"][0], 1.0001f);
  EXPECT_EQ(narrow.gather(agree)["final.norm"][0], 1.0f);
}

/// Weights in one file, as other systems write them.
std::vector<TensorSource> sources(const Tensors &tensors, const ToyRun &run) {
  std::vector<TensorSource> result;
  for (const ParameterShard &shard : shardsOf(run.rank(0)))
    result.push_back(
        {shard.name,
         "F32",
         shard.globalShape,
         {reinterpret_cast<const std::byte *>(tensors.at(shard.name).data()),
          tensors.at(shard.name).size() * 4}});
  return result;
}

TEST(Weights, LoadFromOneFileIntoAnyLayout) {
  ToyRun one({.paddedTo = 32});
  one.start();
  bool agree;
  Tensors tensors = one.gather(agree);
  tensors["final.norm"][3] = 0.25f;
  std::string path = freshFolder("weights") + "/w.safetensors";
  ASSERT_TRUE(writeSafetensors(path, sources(tensors, one), {}).ok());
  for (const ToyLayout &layout : layouts()) {
    ToyRun run(layout);
    absl::StatusOr<LoadResult> result = run.load(path);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_FALSE(result->hasState);
    EXPECT_EQ(result->state.step, 0);
    Tensors read = run.gather(agree);
    EXPECT_TRUE(agree);
    EXPECT_EQ(read["final.norm"], tensors["final.norm"]);
    EXPECT_EQ(read["layers.1.column"], tensors["layers.1.column"]);
    EXPECT_EQ(read["optimizer.exp_avg.final.norm"],
              std::vector<float>(8, 0.0f));
  }
}

TEST(Weights, ListsMissingExtraAndDifferentTensors) {
  ToyRun run(ToyLayout{});
  run.start();
  bool agree;
  Tensors tensors = run.gather(agree);
  std::vector<TensorSource> all = sources(tensors, run);
  all[0].name = "word_embeddings";             // embedding.weight is missing
  std::swap(all[2].shape[0], all[2].shape[1]); // layers.0.row transposed
  std::string path = freshFolder("list") + "/w.safetensors";
  ASSERT_TRUE(writeSafetensors(path, all, {}).ok());
  absl::Status status = run.load(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  for (const char *words :
       {"1 missing: embedding.weight", "1 not in the plan: word_embeddings",
        "layers.0.row has shape [24, 8], the plan has [8, 24]"})
    EXPECT_NE(status.message().find(words), std::string::npos) << status;
}

} // namespace
} // namespace orrery::runtime
