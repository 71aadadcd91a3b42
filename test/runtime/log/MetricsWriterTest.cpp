// Metrics lines and their file.
#include "runtime/log/MetricsWriter.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace orrery::runtime {
namespace {

using nlohmann::json;

StepRecord someStep() {
  StepRecord record;
  record.step = 7;
  record.consumedSamples = 56;
  record.globalBatchSize = 8;
  record.sequenceLength = 64;
  record.lmLoss = 5.9346251487;
  record.learningRate = 1.0 / 3.0;
  record.lossScale = 4294967296.0;
  record.gradNorm = 4.7200370195521115;
  record.milliseconds = 12.5;
  return record;
}

TEST(MetricsLine, IsOneJsonObjectWithEveryKey) {
  const json line = json::parse(metricsLine(someStep()));
  EXPECT_EQ(line["step"], 7);
  EXPECT_EQ(line["lm_loss"], 5.93462515);
  EXPECT_EQ(line["grad_norm"], 4.72003702);
  EXPECT_EQ(line["lr"], 1.0 / 3.0);
  EXPECT_EQ(line["loss_scale"], 4294967296.0);
  EXPECT_EQ(line["consumed_samples"], 56);
  EXPECT_EQ(line["skipped"], false);
  EXPECT_EQ(line["step_ms"], 12.5);
  EXPECT_EQ(line["tokens_per_s"], 40960);
  EXPECT_FALSE(line.contains("params_norm"));
}

TEST(MetricsLine, DistinguishesNeighbouringFloats) {
  StepRecord record = someStep();
  const float loss = 5.9346251f;
  for (float value : {loss, std::nextafter(loss, 6.0f)}) {
    record.lmLoss = value;
    const json line = json::parse(metricsLine(record));
    EXPECT_EQ(static_cast<float>(line["lm_loss"].get<double>()), value);
  }
}

TEST(MetricsLine, WritesNullForWhatIsNotANumber) {
  StepRecord record = someStep();
  record.skipped = true;
  record.lmLoss = NAN;
  record.gradNorm.reset();
  record.paramsNorm = INFINITY;
  record.numZeros = 3;
  const json line = json::parse(metricsLine(record));
  EXPECT_TRUE(line["lm_loss"].is_null());
  EXPECT_TRUE(line["grad_norm"].is_null());
  EXPECT_TRUE(line["params_norm"].is_null());
  EXPECT_EQ(line["num_zeros"], 3);
  EXPECT_EQ(line["skipped"], true);
}

TEST(MetricsWriter, FlushesEveryLine) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("orrery-metrics-" + std::to_string(getpid()));
  auto lines = [&] {
    std::ifstream file(path);
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);)
      all.push_back(line);
    return all;
  };
  {
    auto writer = MetricsWriter::open(path, 0);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE(writer->write(metricsLine(someStep())).ok());
    EXPECT_EQ(lines().size(), 1u); // while the file is still open
  }
  {
    auto writer = MetricsWriter::open(path, 10);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->write(evaluationMetricsLine(10, "valid", 5.0)).ok());
  }
  ASSERT_EQ(lines().size(), 2u);
  EXPECT_EQ(lines()[1], R"({"step":10,"valid_lm_loss":5})");
  std::filesystem::remove(path);
}

// The file after opening it behind step 10, and one line more.
std::string resumed(const std::string &before) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("orrery-resumed-" + std::to_string(getpid()));
  const auto link = path.string() + "-link";
  std::ofstream(path) << before;
  std::filesystem::create_symlink(path, link);
  auto writer = MetricsWriter::open(link, 10);
  EXPECT_TRUE(writer.ok()) << writer.status();
  EXPECT_TRUE(writer.ok() && writer->write("next").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  std::ifstream file(path);
  std::string after{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove(link);
  std::filesystem::remove(path);
  return after;
}

TEST(MetricsWriter, DropsStepsBeyondTheCheckpoint) {
  const std::string kept = "{\"step\":9,\"lm_loss\":1}\n"
                           "{\"step\":10,\"lm_loss\":1}\n"
                           "{\"step\":10,\"valid_lm_loss\":1}\n";
  EXPECT_EQ(resumed(kept), kept + "next\n");
  EXPECT_EQ(resumed(kept + "{\"step\":11,\"lm_loss\":1}\n"
                           "{\"step\":12,\"lm_loss\":1}\n"
                           "{\"step\":12,\"valid_lm_loss\":1}\n"),
            kept + "next\n");
  // A line cut short, in its number too.
  for (const char *cut : {"{\"step\":13,\"lm_l", "{\"step\":1", "{\"step\":"})
    EXPECT_EQ(resumed(kept + cut), kept + "next\n") << cut;
}

TEST(MetricsWriter, KeepsLinesThatAreNotItsOwn) {
  const std::string foreign = "# by hand\n\n[1, 2]\n{\"step\":\"11\"}\n"
                              "{\"note\":11}\n{\"step\":11\n\xff\xfe\n";
  EXPECT_EQ(resumed(foreign + "{ \"a\": 1, \"step\": 11 }\n"),
            foreign + "next\n");
  EXPECT_EQ(resumed(foreign + "no end"), foreign + "no end\nnext\n");
  EXPECT_EQ(resumed("{\"step\":10}"), "{\"step\":10}\nnext\n");
  EXPECT_EQ(resumed(""), "next\n");
}

TEST(MetricsWriter, ReportsAFileThatCannotBeWritten) {
  auto writer = MetricsWriter::open("/no-such-folder/metrics", 0);
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kNotFound);
  auto full = MetricsWriter::open("/dev/full", 0);
  ASSERT_TRUE(full.ok());
  EXPECT_FALSE(full->write("x").ok());
}

} // namespace
} // namespace orrery::runtime
