// A rank that dies ends the job; the next start finds a whole checkpoint.
#include "test/e2e/SmallJob.h"

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace orrery::test {
namespace {

using std::chrono::seconds;

/// The step of the checkpoint that `latest` names, 0 without one.
int64_t latestStep(const std::string &folder) {
  std::ifstream file(folder + "/latest");
  std::string name;
  std::getline(file, name);
  size_t digits = name.find_first_of("0123456789");
  return digits == std::string::npos ? 0 : std::stoll(name.substr(digits));
}

/// True when the process is gone, or dead and only not collected yet by the
/// one that it was left to.
bool hasEnded(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  size_t close = line.rfind(')');
  return close == std::string::npos || line.substr(close, 3) == ") Z";
}

/// True as soon as `condition` holds, false after a minute.
template <typename Condition> bool waitFor(Condition condition) {
  for (int i = 0; i < 1200; ++i) {
    if (condition())
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

class KilledRank : public testing::TestWithParam<int> {};

TEST_P(KilledRank, EndsTheJobAndTheNextStartResumes) {
  TestFolder folder;
  Layout layout{"tp2pp2", 2, 2};
  std::string plan = folder / "job.plan", saved = folder / "checkpoints";
  // Long enough that it cannot end by itself.
  Outcome compiled =
      compileJob(layout, plan,
                 words("--train-iters 100000 --save-interval 5 --save " +
                       saved + " --eval-interval 100000"));
  ASSERT_EQ(compiled.code, 0) << compiled.output;

  Process job(runCommand(4, plan, {}));
  ASSERT_TRUE(waitFor([&] { return latestStep(saved) >= 10; }))
      << job.wait(seconds(1)).output;
  std::vector<pid_t> ranks = job.descendants("orrery-run");
  ASSERT_EQ(ranks.size(), 4u);
  auto killed = std::chrono::steady_clock::now();
  ASSERT_EQ(kill(ranks[static_cast<size_t>(GetParam())], SIGKILL), 0);
  Outcome outcome = job.wait(seconds(60));
  std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - killed;
  EXPECT_FALSE(outcome.timedOut);
  EXPECT_NE(outcome.code, 0);
  EXPECT_LT(took.count(), 10);
  for (pid_t rank : ranks)
    EXPECT_TRUE(waitFor([&] { return hasEnded(rank); }))
        << "rank process " << rank << " still runs";

  int64_t step = latestStep(saved);
  ASSERT_GE(step, 10);
  std::string metrics = folder / "after.jsonl";
  Outcome resumed =
      run(runCommand(4, plan,
                     {"--load", saved, "--steps", std::to_string(step + 2),
                      "--metrics", metrics}));
  ASSERT_EQ(resumed.code, 0) << resumed.output;
  Metrics lines = readMetrics(metrics);
  ASSERT_EQ(lines.steps.size(), 2u);
  EXPECT_EQ(lines.steps.front().step, step + 1);
  EXPECT_EQ(lines.steps.front().consumedSamples, 8 * (step + 1));
}

INSTANTIATE_TEST_SUITE_P(FirstAndLast, KilledRank, testing::Values(0, 3));

} // namespace
} // namespace orrery::test
