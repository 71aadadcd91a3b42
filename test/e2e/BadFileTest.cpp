// Damaged token files, plans and checkpoints end a run with a clear error
// before it trains, never with a crash or a hang.
#include "test/e2e/SmallJob.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace orrery::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

/// One plan, token files and checkpoint of two ranks for all tests, copied by
/// each test before it does damage.
class BadFile : public testing::Test {
protected:
  static void SetUpTestSuite() {
    origin = new TestFolder;
    Layout layout{"pp2", 1, 2};
    plan = *origin / "pp2.plan";
    Metrics metrics = trainJob(
        layout, *origin, {"--steps", "2", "--save", *origin / "checkpoints"});
    ASSERT_EQ(metrics.steps.size(), 2u);
  }
  static void TearDownTestSuite() {
    delete origin;
    origin = nullptr;
  }

  /// A copy of the token files in the test's folder: its prefix.
  std::string copyTokens() {
    for (const char *ending : {".bin", ".idx"})
      fs::copy_file(tokenFiles() + ending,
                    folder / ("tokens" + std::string(ending)),
                    fs::copy_options::overwrite_existing);
    return folder / "tokens";
  }
  std::string copyCheckpoint() {
    std::string copy = folder / "checkpoints";
    fs::remove_all(copy);
    fs::copy(*origin / "checkpoints", copy, fs::copy_options::recursive);
    return copy;
  }

  /// The run must end by itself, soon, with exit code 1 and one of our errors
  /// that has `says`.
  void expectError(int ranks, const std::string &planPath,
                   const std::vector<std::string> &options,
                   const std::string &says) {
    std::string metrics = folder / "metrics.jsonl";
    std::vector<std::string> all = {"--steps", "4", "--metrics", metrics};
    all.insert(all.end(), options.begin(), options.end());
    Outcome outcome =
        run(runCommand(ranks, planPath, all), std::chrono::seconds(60));
    EXPECT_FALSE(outcome.timedOut);
    EXPECT_EQ(outcome.code, 1) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("orrery-run: error: "));
    EXPECT_THAT(outcome.output, HasSubstr(says));
    EXPECT_THAT(outcome.output, Not(HasSubstr("ignal")));
  }

  static TestFolder *origin;
  static std::string plan;
  TestFolder folder;
};

TestFolder *BadFile::origin = nullptr;
std::string BadFile::plan;

void flipBit(const std::string &path, int64_t offset, int bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(offset);
  char byte = static_cast<char>(file.get());
  file.seekp(offset);
  file.put(static_cast<char>(byte ^ (1 << bit)));
  ASSERT_TRUE(file.good()) << path << " at " << offset;
}

void truncateBy(const std::string &path, uintmax_t bytes) {
  ASSERT_GT(fs::file_size(path), bytes);
  fs::resize_file(path, fs::file_size(path) - bytes);
}

TEST_F(BadFile, TheUndamagedFilesRun) {
  Outcome outcome = run(runCommand(
      2, plan,
      {"--steps", "4", "--data", copyTokens(), "--load", copyCheckpoint()}));
  EXPECT_EQ(outcome.code, 0) << outcome.output;
}

TEST_F(BadFile, ATruncatedTokenFileIsRefused) {
  for (const char *ending : {".bin", ".idx"})
    for (uintmax_t bytes : {1u, 1000u}) {
      std::string prefix = copyTokens();
      truncateBy(prefix + ending, bytes);
      expectError(2, plan, {"--data", prefix}, "tokens.");
    }
}

TEST_F(BadFile, AnEmptyOrAbsentTokenFileIsRefused) {
  std::string prefix = copyTokens();
  fs::resize_file(prefix + ".idx", 0);
  expectError(2, plan, {"--data", prefix}, "tokens.idx");
  fs::remove(prefix + ".idx");
  expectError(2, plan, {"--data", prefix}, "tokens.idx");
}

TEST_F(BadFile, AFlippedBitInTheIndexIsRefused) {
  // Magic, version, element type, number of items, first size, the high byte
  // of a size.
  for (int64_t offset : {0, 9, 17, 18, 34, 41}) {
    std::string prefix = copyTokens();
    flipBit(prefix + ".idx", offset, 4);
    SCOPED_TRACE(offset);
    // A size that is too large shows in the other file.
    expectError(2, plan, {"--data", prefix}, "tokens.");
  }
}

TEST_F(BadFile, ATokenBeyondTheVocabularyIsRefused) {
  std::string prefix = copyTokens();
  // The high bytes of the 16-bit tokens of the first kilobyte.
  for (int64_t offset = 1; offset < 1024; offset += 2)
    flipBit(prefix + ".bin", offset, 6);
  expectError(2, plan, {"--data", prefix}, "token");
}

TEST_F(BadFile, ADamagedPlanIsRefused) {
  std::string copy = folder / "damaged.plan";
  auto fresh = [&] {
    fs::copy_file(plan, copy, fs::copy_options::overwrite_existing);
  };
  for (int64_t offset : {0, 8, 16, 24, 32, 40, 1000, 5000}) {
    fresh();
    flipBit(copy, offset, 3);
    SCOPED_TRACE(offset);
    expectError(2, copy, {}, "damaged.plan");
  }
  fresh();
  truncateBy(copy, 1);
  expectError(2, copy, {}, "damaged.plan");
  fs::resize_file(copy, 20);
  expectError(2, copy, {}, "damaged.plan");
  fs::resize_file(copy, 0);
  expectError(2, copy, {}, "damaged.plan");
  expectError(2, folder / "absent.plan", {}, "absent.plan");
}

TEST_F(BadFile, AWrongNumberOfRanksIsRefused) {
  expectError(1, plan, {}, "mpirun -n 2");
  expectError(3, plan, {}, "mpirun -n 2");
}

TEST_F(BadFile, ADamagedCheckpointIsRefused) {
  const std::string step = "step_00000002";
  std::string first = step + "/rank_00000.safetensors";
  std::string second = step + "/rank_00001.safetensors";
  for (const std::string &file : {first, second})
    for (int64_t offset : {0, 3, 20, 4000, 100000}) {
      std::string copy = copyCheckpoint();
      flipBit(copy + "/" + file, offset, 5);
      SCOPED_TRACE(file + " at " + std::to_string(offset));
      expectError(2, plan, {"--load", copy}, file.substr(step.size() + 1));
    }
  std::string copy = copyCheckpoint();
  truncateBy(copy + "/" + second, 1);
  expectError(2, plan, {"--load", copy}, "rank_00001.safetensors");
}

TEST_F(BadFile, AMissingFileOfACheckpointIsRefused) {
  std::string copy = copyCheckpoint();
  fs::remove(copy + "/step_00000002/rank_00001.safetensors");
  expectError(2, plan, {"--load", copy}, "rank_00001.safetensors");
  expectError(2, plan, {"--load", folder / "nowhere"}, "nowhere");
}

TEST_F(BadFile, ACheckpointOfAnotherModelIsRefused) {
  std::string other = folder / "other.plan";
  ASSERT_EQ(compileJob({"pp2", 1, 2}, other, words("--hidden-size 32")).code,
            0);
  expectError(2, other, {"--load", copyCheckpoint()}, "[");
}

TEST_F(BadFile, RunOptionsAreChecked) {
  struct Case {
    std::vector<std::string> options;
    const char *says;
  };
  const std::vector<Case> cases = {
      {{"--step", "3"}, "--step"},  {{"--steps", "none"}, "none"},
      {{"--steps", "-1"}, "-1"},    {{"--threads", "0"}, "--threads"},
      {{"--metrics"}, "--metrics"}, {{"another.plan"}, "another.plan"},
  };
  for (const Case &entry : cases) {
    Outcome outcome =
        run(runCommand(2, plan, entry.options), std::chrono::seconds(60));
    EXPECT_EQ(outcome.code, 2) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(entry.says));
  }
  expectError(2, plan, {"--steps", "31"}, "30");
  expectError(2, plan, {"--metrics", folder / "no/such/folder.jsonl"},
              "no/such/folder.jsonl");
}

TEST_F(BadFile, AnUnwritableCheckpointFolderIsAnError) {
  std::ofstream(folder / "file") << "no folder";
  expectError(2, plan, {"--save", folder / "file"}, "file");
}

} // namespace
} // namespace orrery::test
