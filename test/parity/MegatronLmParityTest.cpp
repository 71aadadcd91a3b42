// From the recorded weights and token files, every step of a recorded run of
// Megatron-LM: loss, gradient norm, learning rate, validation losses.
#include "test/e2e/SmallJob.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace orrery::test {
namespace {

using Json = nlohmann::json;

constexpr double lossTolerance = 1e-5;         // relative
constexpr double gradNormTolerance = 1e-4;     // relative
constexpr double learningRateTolerance = 1e-9; // of the largest rate, 1e-3

struct RecordedRun {
  const char *name;
  int ranks;
  const char *weights; // the case whose initial weights it has
};
void PrintTo(const RecordedRun &run, std::ostream *stream) {
  *stream << run.name;
}

const std::string root =
    std::string(ORRERY_SOURCE) + "/test/parity/megatron_lm/";

Json readJson(const std::string &path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return Json::parse(file, nullptr, /*allow_exceptions=*/false);
}

/// args.txt with its paths made absolute.
std::vector<std::string> argumentsOf(const RecordedRun &recorded) {
  std::ifstream file(root + recorded.name + "/args.txt");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::string> arguments = words(text);
  for (std::string &argument : arguments)
    if (argument.rfind("../", 0) == 0)
      argument = root + argument.substr(3);
  return arguments;
}

void expectNear(double actual, double expected, double tolerance,
                const char *what, int64_t step) {
  EXPECT_LE(std::abs(actual - expected), tolerance)
      << what << " of step " << step << ": " << actual << " for " << expected;
}

void compareSteps(const Metrics &metrics, const Json &log) {
  ASSERT_EQ(metrics.steps.size(), log.size());
  for (size_t i = 0; i < log.size(); ++i) {
    const StepMetrics &step = metrics.steps[i];
    const Json &recorded = log[i];
    ASSERT_EQ(step.step, recorded["iteration"].get<int64_t>());
    double loss = recorded["lm loss"], norm = recorded["grad_norm"];
    expectNear(step.lmLoss, loss, lossTolerance * loss, "lm loss", step.step);
    expectNear(step.gradNorm, norm, gradNormTolerance * norm, "grad norm",
               step.step);
    expectNear(step.learningRate, recorded["lr_used"],
               learningRateTolerance * 1e-3, "learning rate", step.step);
    EXPECT_EQ(step.consumedSamples,
              recorded["consumed_samples"].get<int64_t>());
  }
}

/// Validation after steps 10, 20, 30 and at the end, then the test split.
void compareEvaluations(const Metrics &metrics, const Json &recorded) {
  ASSERT_EQ(metrics.evaluations.size(), recorded.size());
  for (size_t i = 0; i < recorded.size(); ++i) {
    const EvaluationMetrics &entry = metrics.evaluations[i];
    std::string place = recorded[i]["prefix"];
    double loss = recorded[i]["lm loss"];
    bool test = place.find("test data") != std::string::npos;
    expectNear(test ? entry.testLoss : entry.validLoss, loss,
               lossTolerance * loss, place.c_str(), entry.step);
  }
}

class MegatronLm : public testing::TestWithParam<RecordedRun> {};

TEST_P(MegatronLm, AgreesAtEveryStep) {
  const RecordedRun &recorded = GetParam();
  TestFolder folder;
  std::string plan = folder / "job.plan", metrics = folder / "metrics.jsonl";
  std::vector<std::string> command = {tool("orrery-compile"),
                                      "--from=megatron-lm",
                                      "--world-size=" +
                                          std::to_string(recorded.ranks),
                                      "--target=cpu",
                                      "--out=" + plan,
                                      "--",
                                      "pretrain_gpt.py"};
  for (const std::string &argument : argumentsOf(recorded))
    command.push_back(argument);
  Outcome compiled = run(command);
  ASSERT_EQ(compiled.code, 0) << compiled.output;
  Outcome ran =
      run(runCommand(recorded.ranks, plan,
                     {"--metrics", metrics, "--load",
                      root + recorded.weights + "/weights_init.safetensors"}),
          std::chrono::seconds(180));
  ASSERT_EQ(ran.code, 0) << ran.output;
  std::string folderOfCase = root + recorded.name;
  Metrics actual = readMetrics(metrics);
  compareSteps(actual, readJson(folderOfCase + "/log.json"));
  compareEvaluations(actual, readJson(folderOfCase + "/eval.json"));
}

INSTANTIATE_TEST_SUITE_P(
    Gpt, MegatronLm,
    testing::Values(RecordedRun{"m1", 1, "m1"}, RecordedRun{"m2", 1, "m2"},
                    RecordedRun{"m3", 2, "m1"}, RecordedRun{"m4", 2, "m1"},
                    RecordedRun{"m5", 4, "m1"}, RecordedRun{"m9", 1, "m9"},
                    RecordedRun{"m11", 2, "m1"}, RecordedRun{"m13", 1, "m1"}),
    [](const testing::TestParamInfo<RecordedRun> &info) {
      return std::string(info.param.name);
    });

} // namespace
} // namespace orrery::test
