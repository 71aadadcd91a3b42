// A run that ends at any moment of saving leaves a whole checkpoint in use.
#include "runtime/checkpoint/CheckpointFolder.h"
#include "test/runtime/checkpoint/ToyRun.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <sys/wait.h>
#include <unistd.h>

namespace orrery::runtime {
namespace {

using test::freshFolder;
using test::ToyRun;

constexpr PublishStep kSteps[] = {
    PublishStep::MANIFEST_WRITTEN, PublishStep::FOLDER_RENAMED,
    PublishStep::LATEST_WRITTEN, PublishStep::LEFTOVERS_REMOVED};

/// Saves `run` in a child process that kills itself: after `shards` files,
/// or, with all written, after the step `last` of publishing.
void saveAndDie(ToyRun &run, const std::string &folder, int64_t step,
                int32_t shards, PublishStep last) {
  pid_t child = fork();
  if (child == 0) {
    CheckpointWriter writer(run.plan(), folder, step);
    bool fine = writer.prepare().ok();
    for (int32_t rank = 0; fine && rank < shards; ++rank)
      fine = writer.writeShard(run.rank(rank), run.arena(rank)).ok();
    if (shards == run.worldSize())
      fine = writer
                 .publish(test::toyState(step),
                          [&](PublishStep reached) {
                            if (reached == last)
                              raise(SIGKILL);
                            return absl::OkStatus();
                          })
                 .ok();
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

bool hasTemporary(const std::string &folder) {
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename().string().rfind(kTemporaryPrefix, 0) == 0)
      return true;
  return false;
}

TEST(CheckpointCrash, KeepsThePreviousWhileShardsAreWritten) {
  ToyRun run({.pp = 2, .tp = 2});
  run.start();
  for (int32_t shards = 0; shards < 4; ++shards) {
    std::string folder = freshFolder("shards");
    ASSERT_TRUE(run.save(folder, test::toyState(10)).ok());
    saveAndDie(run, folder, 20, shards, PublishStep::MANIFEST_WRITTEN);
    EXPECT_TRUE(hasTemporary(folder));
    absl::StatusOr<LoadResult> result = run.load(folder);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->state.step, 10);
    // The next save removes what was left and succeeds.
    ASSERT_TRUE(run.save(folder, test::toyState(20)).ok());
    EXPECT_FALSE(hasTemporary(folder));
    EXPECT_EQ(run.load(folder)->state.step, 20);
  }
}

TEST(CheckpointCrash, LeavesAWholeCheckpointBetweenTheStepsOfPublishing) {
  ToyRun run({.pp = 2, .tp = 2});
  run.start();
  for (PublishStep last : kSteps) {
    std::string folder = freshFolder("publish");
    ASSERT_TRUE(run.save(folder, test::toyState(10)).ok());
    saveAndDie(run, folder, 20, 4, last);
    absl::StatusOr<LoadResult> result = run.load(folder);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->state.step,
              last >= PublishStep::LATEST_WRITTEN ? 20 : 10);
    ASSERT_TRUE(run.save(folder, test::toyState(20)).ok());
    EXPECT_EQ(run.load(folder)->state.step, 20);
    EXPECT_FALSE(hasTemporary(folder));
  }
}

TEST(CheckpointCrash, AtTheFirstSaveLosesNothingElse) {
  ToyRun run({.tp = 2});
  run.start();
  for (PublishStep last : kSteps) {
    std::string folder = freshFolder("first");
    saveAndDie(run, folder, 10, 2, last);
    absl::StatusOr<LoadResult> result = run.load(folder);
    if (last == PublishStep::MANIFEST_WRITTEN) {
      EXPECT_EQ(result.status().code(), absl::StatusCode::kNotFound);
      continue;
    }
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->state.step, 10);
  }
}

TEST(CheckpointCrash, ReplacesACheckpointOfTheSameStepInOneExchange) {
  ToyRun run({.tp = 2});
  run.start();
  for (PublishStep last : kSteps) {
    std::string folder = freshFolder("same-step");
    test::ToyLayout other{.pp = 2};
    ToyRun before(other);
    before.start();
    ASSERT_TRUE(before.save(folder, test::toyState(10)).ok());
    saveAndDie(run, folder, 10, 2, last);
    absl::StatusOr<LoadResult> result = run.load(folder);
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_TRUE(run.save(folder, test::toyState(10)).ok());
    EXPECT_FALSE(hasTemporary(folder));
    EXPECT_EQ(checkpointsIn(folder).size(), 1u);
    ASSERT_TRUE(run.load(folder).ok());
  }
}

TEST(CheckpointWriter, DoesNotPublishWithoutEveryRank) {
  ToyRun run({.pp = 2, .tp = 2});
  run.start();
  std::string folder = freshFolder("incomplete");
  CheckpointWriter writer(run.plan(), folder, 10);
  ASSERT_TRUE(writer.prepare().ok());
  for (int32_t rank : {0, 1, 3})
    ASSERT_TRUE(writer.writeShard(run.rank(rank), run.arena(rank)).ok());
  absl::Status status = writer.publish(test::toyState(10));
  EXPECT_NE(status.message().find("rank 2 did not write its part"),
            std::string::npos)
      << status;
  EXPECT_EQ(run.load(folder).status().code(), absl::StatusCode::kNotFound);
}

TEST(CheckpointWriter, SaysWhereItCannotWrite) {
  ToyRun run(test::ToyLayout{});
  absl::Status status = run.save("/proc/nowhere", test::toyState(10));
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("/proc/nowhere"), std::string::npos);
}

} // namespace
} // namespace orrery::runtime
