// The training loop on the linear plan.
#include "runtime/exec/Trainer.h"

#include "runtime/comm/local/LocalWorld.h"
#include "runtime/plan/PlanFile.h"
#include "test/runtime/exec/LinearPlan.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>

namespace orrery::runtime {
namespace {

class TrainerTest : public ::testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/orrery-trainer-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder = name;
    absl::Status written = writeTokens(path("data"));
    ASSERT_TRUE(written.ok()) << written;
    for (int replicas : {1, 2})
      ASSERT_TRUE(writePlan(linearPlan(replicas, 8, 3),
                            path("plan" + std::to_string(replicas)))
                      .ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string &name) const {
    return folder + "/" + name;
  }
  absl::Status run(int ranks, RunOptions options) {
    if (options.plan.empty())
      options.plan = path("plan" + std::to_string(ranks));
    options.data = options.data.empty() ? path("data") : options.data;
    return runLocalRanks(
        ranks, [&](CommunicatorFactory &f) { return runPlan(options, f); });
  }
  RunOptions withMetrics(const std::string &name) const {
    RunOptions options;
    options.metrics = path(name);
    return options;
  }
  std::vector<nlohmann::json> read(const std::string &name) const {
    std::vector<nlohmann::json> lines;
    std::ifstream file(path(name));
    for (std::string line; std::getline(file, line);)
      lines.push_back(nlohmann::json::parse(line));
    return lines;
  }
  // Losses by step; times are not comparable.
  static std::vector<double> losses(const std::vector<nlohmann::json> &lines) {
    std::vector<double> result;
    for (const nlohmann::json &line : lines)
      if (line.contains("lm_loss"))
        result.push_back(line["lm_loss"]);
    return result;
  }

  std::string folder;
};

TEST_F(TrainerTest, TrainsValidatesAndCounts) {
  absl::Status status = run(1, withMetrics("m"));
  ASSERT_TRUE(status.ok()) << status;
  std::vector<nlohmann::json> lines = read("m");
  // Steps 1-4, validation, 5-8, validation, validation and test at the end.
  ASSERT_EQ(lines.size(), 12u);
  EXPECT_EQ(losses(lines).size(), 8u);
  EXPECT_TRUE(lines[4].contains("valid_lm_loss"));
  EXPECT_TRUE(lines[11].contains("test_lm_loss"));
  EXPECT_EQ(lines[0]["lr"], 0.01);
  EXPECT_EQ(lines[10]["step"], 8);
  EXPECT_EQ(lines[5]["consumed_samples"], 20);
  // The gradient does not change much, so the loss falls every step.
  EXPECT_LT(losses(lines).back(), losses(lines).front() - 10);
}

TEST_F(TrainerTest, ProfilesARunThatItsExitIntervalEnds) {
  plan::Plan plan = linearPlan(1, 8, 3);
  plan.mutable_job()->mutable_runtime()->set_exit_interval(4);
  ASSERT_TRUE(writePlan(plan, path("exits")).ok());
  RunOptions options;
  options.plan = path("exits");
  options.steps = 4;
  options.profile = true;
  options.trace = path("trace.json");
  testing::internal::CaptureStdout();
  absl::Status status = run(1, options);
  const std::string out = testing::internal::GetCapturedStdout();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_NE(out.find("rank 0: step "), std::string::npos) << out;
  // The trace of the run lacks the profiled step and goes on behind it.
  std::ifstream file(options.trace);
  std::map<int64_t, int> events;
  const nlohmann::json whole = nlohmann::json::parse(file);
  for (const nlohmann::json &event : whole["traceEvents"])
    if (event["ph"] == "X")
      ++events[event["args"]["step"].get<int64_t>()];
  EXPECT_GT(events[3], 0);
  EXPECT_EQ(events[4], 0);
  EXPECT_GT(events[0], 0) << "of the validation behind step 4";
}

TEST_F(TrainerTest, BenchmarksEndWithALineOfTheFirstAndTheLastLoss) {
  RunOptions options;
  options.steps = 2;
  options.profile = options.benchmark = true;
  testing::internal::CaptureStdout();
  absl::Status status = run(1, options);
  const std::string out = testing::internal::GetCapturedStdout();
  ASSERT_TRUE(status.ok()) << status;
  const nlohmann::json line = nlohmann::json::parse(
      out.substr(out.rfind('\n', out.size() - 2) + 1), nullptr, false);
  ASSERT_TRUE(line.is_object()) << out;
  EXPECT_GT(line["loss0"], line["lossN"]);
  EXPECT_EQ(line["steps"], 1) << "the profiled step does not count";
}

TEST_F(TrainerTest, ReplicasGiveTheSameLosses) {
  ASSERT_TRUE(run(1, withMetrics("one")).ok());
  absl::Status status = run(2, withMetrics("two"));
  ASSERT_TRUE(status.ok()) << status;
  std::vector<double> one = losses(read("one")), two = losses(read("two"));
  ASSERT_EQ(one.size(), two.size());
  for (size_t i = 0; i < one.size(); ++i)
    EXPECT_NEAR(one[i], two[i], 1e-5 * std::abs(one[i])) << "step " << i + 1;
}

TEST_F(TrainerTest, ResumesBitForBitInAnyLayout) {
  RunOptions whole = withMetrics("whole");
  whole.save = path("whole-run");
  ASSERT_TRUE(run(1, whole).ok());
  RunOptions first = withMetrics("first");
  first.save = path("checkpoints");
  first.steps = 5;
  absl::Status status = run(1, first);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(losses(read("first")).size(), 5u);
  EXPECT_TRUE(std::filesystem::exists(path("checkpoints/step_00000003")));
  EXPECT_TRUE(std::filesystem::exists(path("checkpoints/step_00000005")));
  RunOptions second = withMetrics("second");
  second.load = path("checkpoints");
  status = run(1, second);
  ASSERT_TRUE(status.ok()) << status;
  std::vector<nlohmann::json> all = read("whole"), rest = read("second");
  std::vector<double> expected = losses(all), resumed = losses(rest);
  ASSERT_EQ(resumed.size(), 3u);
  EXPECT_EQ(resumed, std::vector<double>(expected.begin() + 5, expected.end()));
  EXPECT_EQ(rest.back()["test_lm_loss"], all.back()["test_lm_loss"]);
  EXPECT_EQ(rest[3]["valid_lm_loss"], all[9]["valid_lm_loss"]);
  RunOptions other = withMetrics("other");
  other.load = path("checkpoints");
  status = run(2, other);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_NEAR(losses(read("other"))[0], resumed[0], 1e-4);
}

TEST_F(TrainerTest, WritesEveryStepOnceWhenItGoesOnFromACheckpoint) {
  RunOptions options = withMetrics("m");
  options.save = path("checkpoints");
  ASSERT_TRUE(run(1, options).ok());
  const std::vector<nlohmann::json> whole = read("m");
  // As if the run had died behind step 6, its last checkpoint's.
  std::filesystem::remove_all(path("checkpoints/step_00000008"));
  options.load = path("checkpoints/step_00000006");
  absl::Status status = run(1, options);
  ASSERT_TRUE(status.ok()) << status;
  const std::vector<nlohmann::json> again = read("m");
  ASSERT_EQ(again.size(), whole.size());
  for (size_t i = 0; i < whole.size(); ++i)
    EXPECT_EQ(again[i]["step"], whole[i]["step"]) << "line " << i;
  EXPECT_EQ(losses(again), losses(whole));
}

TEST_F(TrainerTest, ValidatesWithTheBatchSizeOfTheStepBefore) {
  plan::Plan plan = linearPlan(1, 8, 4);
  job::BatchRampUp *ramp =
      plan.mutable_job()->mutable_parallel()->mutable_ramp_up();
  ramp->set_start(2);
  ramp->set_increment(2);
  ramp->set_samples(8);
  RunOptions options = withMetrics("m");
  options.plan = path("ramp-up");
  options.save = path("checkpoints");
  options.steps = 4;
  ASSERT_TRUE(writePlan(plan, options.plan).ok());
  absl::Status status = run(1, options);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(read("m")[3]["consumed_samples"], 8);
  std::ifstream file(path("checkpoints/step_00000004/manifest.json"));
  // Two validation steps of 2 samples; the next step would have 4.
  EXPECT_EQ(
      nlohmann::json::parse(file)["state"]["consumed_valid_samples"].get<int>(),
      4);
}

TEST_F(TrainerTest, WarnsOnceOfAnEmptyValidationSplit) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  for (const char *split : {"100,0,0", "80,20,0"}) {
    plan::Plan plan = linearPlan(2, 8, 3);
    plan.mutable_job()->mutable_data()->set_split(split);
    RunOptions options = withMetrics(split);
    options.plan = path("split");
    ASSERT_TRUE(writePlan(plan, options.plan).ok());
    absl::Status status = run(2, options);
    EXPECT_TRUE(status.ok()) << status;
  }
  spdlog::set_default_logger(before);
  const std::string text = log.str(), words = "valid split has no samples";
  const size_t found = text.find(words);
  ASSERT_NE(found, std::string::npos) << text;
  EXPECT_EQ(text.find(words, found + 1), std::string::npos) << text;
  EXPECT_EQ(read("100,0,0").size(), 8u); // steps alone
}

TEST_F(TrainerTest, SavesALoadedCheckpointElsewhereWithoutTraining) {
  RunOptions first;
  first.save = path("checkpoints");
  first.steps = 5;
  ASSERT_TRUE(run(1, first).ok());
  RunOptions again = first;
  again.load = path("checkpoints/");
  again.save = path("elsewhere");
  absl::Status status = run(2, again);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(std::filesystem::exists(path("elsewhere/step_00000005")));
}

TEST_F(TrainerTest, WritesATraceOfAllRanks) {
  RunOptions options;
  options.trace = path("trace.json");
  options.steps = 2;
  absl::Status status = run(2, options);
  ASSERT_TRUE(status.ok()) << status;
  std::ifstream file(options.trace);
  nlohmann::json trace = nlohmann::json::parse(file);
  int onRank[2] = {};
  for (const nlohmann::json &event : trace["traceEvents"])
    if (event["ph"] == "X" && event["name"] == "loss")
      ++onRank[event["pid"].get<int>()];
  // Two steps of two microbatches on each of two ranks.
  EXPECT_EQ(onRank[0], 4);
  EXPECT_EQ(onRank[1], 4);
}

TEST_F(TrainerTest, RefusesAnotherNumberOfRanks) {
  RunOptions options;
  options.plan = path("plan2");
  absl::Status status = run(1, options);
  EXPECT_EQ(status.message(),
            "plan '" + options.plan +
                "' is for 2 ranks (pp 1, dp 2) and 1 was started; start it "
                "with mpirun -n 2");
}

TEST_F(TrainerTest, RefusesBadInputBeforeTheFirstStep) {
  RunOptions options;
  options.plan = path("absent");
  EXPECT_EQ(run(2, options).code(), absl::StatusCode::kNotFound);
  options = RunOptions();
  options.steps = 9;
  EXPECT_EQ(run(2, options).message(),
            "--steps 9: the job has 8 steps (--train-iters); choose at most "
            "that");
  options = RunOptions();
  options.load = path("nowhere");
  EXPECT_FALSE(run(2, options).ok());
  options = RunOptions();
  options.data = path("no-data");
  EXPECT_FALSE(run(2, options).ok());
  options = RunOptions();
  options.metrics = path("no-folder/metrics");
  EXPECT_FALSE(run(2, options).ok());
  options = withMetrics("none");
  options.trace = path("no-folder/trace");
  EXPECT_EQ(run(2, options).code(), absl::StatusCode::kNotFound);
  options.trace = folder;
  EXPECT_FALSE(run(2, options).ok());
  options.trace.clear();
  options.save = path("data.idx");
  EXPECT_FALSE(run(2, options).ok());
  EXPECT_FALSE(std::filesystem::exists(path("none")));
}

} // namespace
} // namespace orrery::runtime
