// Adding up hand-written events.
#include "runtime/exec/Profile.h"

#include "runtime/exec/Benchmark.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

TraceEvent event(const char *kind, const char *label, double begin, double end,
                 int64_t step = 2) {
  TraceEvent event;
  event.kind = kind;
  event.label = label;
  event.step = step;
  event.begin = begin;
  event.end = end;
  event.flops = 1000;
  return event;
}

TEST(Profile, SplitsAStepIntoFourPartsThatAddUp) {
  // 0         1000       2000       3000       4000       5000
  // |--gemm---|          |--launch--|
  //      |---collective------|                 |---receive---|
  const Profile profile =
      profileOf({event("gemm", "matmul layer 1", 0, 1000),
                 event("launch", "fused", 2000, 3000),
                 event("collective", "all_reduce", 500, 2500),
                 event("receive", "receive", 4000, 5000),
                 event("gemm", "matmul layer 1", 0, 9000, /*step=*/1)},
                2);
  EXPECT_DOUBLE_EQ(profile.step, 5);
  EXPECT_DOUBLE_EQ(profile.computing, 2);
  EXPECT_DOUBLE_EQ(profile.exposedCommunication, 1);
  EXPECT_DOUBLE_EQ(profile.waiting, 1);
  EXPECT_DOUBLE_EQ(profile.idle, 1);
  EXPECT_DOUBLE_EQ(profile.communication, 2);
}

TEST(Profile, AddsUpLayersOfOneOperation) {
  const Profile profile = profileOf({event("gemm", "matmul layer 1", 0, 10),
                                     event("gemm", "matmul layer 2", 10, 30),
                                     event("gemm", "other", 30, 35)},
                                    2);
  ASSERT_EQ(profile.rows.size(), 2u);
  EXPECT_EQ(profile.rows[0].label, "matmul");
  EXPECT_EQ(profile.rows[0].count, 2);
  EXPECT_EQ(profile.rows[0].flops, 2000u);
  EXPECT_DOUBLE_EQ(profile.rows[0].milliseconds, 0.03);
  EXPECT_EQ(profileTable(profile, {}).size(), 3u);
}

TEST(Benchmark, TakesTheMedianOfTheSecondHalf) {
  job::JobSpec job;
  job.mutable_model()->set_num_layers(2);
  job.mutable_model()->set_hidden_size(10);
  job.mutable_model()->set_seq_length(60);
  job.mutable_model()->set_padded_vocab_size(240);
  job.mutable_parallel()->set_world_size(2);
  // 72 * (4 * 60) * 2 * 100 * (1 + 1 + 1)
  EXPECT_DOUBLE_EQ(modelFlops(job, 4), 10368000);
  const BenchmarkResult result = benchmarkOf(job, 4, {900, 500, 300, 100, 200});
  EXPECT_EQ(result.steps, 3);
  EXPECT_DOUBLE_EQ(result.milliseconds, 200);
  EXPECT_DOUBLE_EQ(result.tokensPerSecond, 1200);
  EXPECT_DOUBLE_EQ(result.teraflopsPerRank, 10368000 / 0.2 / 1e12 / 2);
}

TEST(Benchmark, PrintsDecimalsThatPeopleRead) {
  BenchmarkResult result;
  result.milliseconds = 21.8349;
  result.teraflopsPerRank = 0.3049;
  const std::string line = benchmarkLine(result, 1, int64_t(3) << 28, 2, 1);
  EXPECT_NE(line.find("\"step_ms\":21.83,"), std::string::npos) << line;
  EXPECT_NE(line.find("\"tflops_gpu\":0.3,"), std::string::npos) << line;
  EXPECT_NE(line.find("\"mem_gib\":0.8,"), std::string::npos) << line;
}

} // namespace
} // namespace orrery::runtime
