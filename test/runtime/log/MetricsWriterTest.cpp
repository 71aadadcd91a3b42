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
    auto writer = MetricsWriter::open(path, false);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE(writer->write(metricsLine(someStep())).ok());
    EXPECT_EQ(lines().size(), 1u); // while the file is still open
  }
  {
    auto writer = MetricsWriter::open(path, true);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->write(evaluationMetricsLine(10, "valid", 5.0)).ok());
  }
  ASSERT_EQ(lines().size(), 2u);
  EXPECT_EQ(lines()[1], R"({"step":10,"valid_lm_loss":5})");
  std::filesystem::remove(path);
}

TEST(MetricsWriter, ReportsAFileThatCannotBeWritten) {
  auto writer = MetricsWriter::open("/no-such-folder/metrics", false);
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kNotFound);
  auto full = MetricsWriter::open("/dev/full", false);
  ASSERT_TRUE(full.ok());
  EXPECT_FALSE(full->write("x").ok());
}

} // namespace
} // namespace orrery::runtime
