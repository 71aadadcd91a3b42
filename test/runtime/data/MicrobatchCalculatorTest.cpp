// Batch sizes and microbatch counts against recorded ones.
#include "runtime/data/MicrobatchCalculator.h"

#include "test/runtime/data/RecordedArray.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

using nlohmann::json;

job::Parallel constant(int64_t global, int64_t micro, int32_t data) {
  job::Parallel parallel;
  parallel.set_global_batch_size(global);
  parallel.set_micro_batch_size(micro);
  parallel.set_data(data);
  return parallel;
}

job::Parallel ramp(int64_t start, int64_t increment, int64_t samples,
                   job::Parallel parallel) {
  parallel.mutable_ramp_up()->set_start(start);
  parallel.mutable_ramp_up()->set_increment(increment);
  parallel.mutable_ramp_up()->set_samples(samples);
  return parallel;
}

TEST(MicrobatchCalculator, FollowsTheRecordedRampUps) {
  const json file = test::readJson(test::recorded("indexmaps/schedulers.json"));
  for (const json &entry : file["rampup"]) {
    auto calculator = MicrobatchCalculator::create(
        ramp(entry["start"], entry["increment"], entry["ramup_samples"],
             constant(entry["global_batch_size"], entry["micro_batch_size"],
                      entry["data_parallel_size"])));
    ASSERT_TRUE(calculator.ok()) << calculator.status();
    for (const json &row : entry["consumed_gbs_numMB"]) {
      if (row[0] == "error") { // zero samples: the original divides by zero
        EXPECT_EQ(calculator->globalBatchSize(0), entry["global_batch_size"]);
        continue;
      }
      EXPECT_EQ(calculator->globalBatchSize(row[0]), row[1]);
      auto count = calculator->microbatches(row[0]);
      ASSERT_TRUE(count.ok()) << count.status();
      EXPECT_EQ(*count, row[2]);
    }
  }
}

TEST(MicrobatchCalculator, DecidesEveryRecordedConstantCase) {
  ORRERY_NEEDS_SHARED();
  const json file =
      test::readJson(test::sharedFolder() + "/golden/cli/microbatches.json");
  int refused = 0;
  for (const json &row : file["constant"]) {
    auto calculator =
        MicrobatchCalculator::create(constant(row[0], row[1], row[2]));
    ASSERT_EQ(calculator.ok(), row[4].is_null()) << row;
    refused += !calculator.ok();
    if (calculator.ok()) {
      EXPECT_EQ(*calculator->microbatches(0), row[3]);
    }
  }
  EXPECT_GT(refused, 0);
}

/// Walks one recorded ramp-up step by step to each of its changes.
void walk(const MicrobatchCalculator &calculator, const json &entry) {
  int64_t iteration = 0, consumed = 0;
  for (const json &change : entry["changes_iteration_consumed_gbs_num"]) {
    for (; iteration < change[0]; ++iteration) {
      auto count = calculator.microbatches(consumed);
      ASSERT_TRUE(count.ok()) << count.status();
      consumed += calculator.globalBatchSize(consumed);
    }
    EXPECT_EQ(consumed, change[1]);
    EXPECT_EQ(calculator.globalBatchSize(consumed), change[2]);
  }
  if (entry.contains("error") && entry["error"].is_object()) {
    const int64_t at = entry["error"]["consumed_samples"];
    EXPECT_FALSE(calculator.microbatches(at).ok());
  }
}

TEST(MicrobatchCalculator, DecidesEveryRecordedRampUp) {
  ORRERY_NEEDS_SHARED();
  const json file =
      test::readJson(test::sharedFolder() + "/golden/cli/microbatches.json");
  for (const json &entry : file["rampup"]) {
    const json &p = entry["params"];
    auto calculator = MicrobatchCalculator::create(ramp(
        p["start_batch_size"], p["batch_size_increment"], p["rampup_samples"],
        constant(p["global_batch_size"], p["micro_batch_size"],
                 p["data_parallel_size"])));
    SCOPED_TRACE(p.dump());
    if (!entry.contains("at_consumed_gbs_num")) {
      // Refused by both, but for what makes the original divide by zero.
      const bool still = p["start_batch_size"] == p["global_batch_size"] ||
                         p["rampup_samples"] == 0;
      ASSERT_EQ(calculator.ok(), still) << calculator.status();
      if (still) {
        EXPECT_EQ(calculator->globalBatchSize(0), p["global_batch_size"]);
      }
      continue;
    }
    ASSERT_TRUE(calculator.ok()) << calculator.status();
    for (const json &row : entry["at_consumed_gbs_num"])
      EXPECT_EQ(calculator->globalBatchSize(row[0]), row[1]) << row;
    walk(*calculator, entry);
  }
}

TEST(MicrobatchCalculator, NamesTheLegalSizesBesideAnIllegalOne) {
  auto calculator = MicrobatchCalculator::create(constant(10, 2, 2));
  for (const char *part : {"10", "8", "12"})
    EXPECT_NE(calculator.status().message().find(part), std::string::npos)
        << calculator.status();
}

} // namespace
} // namespace orrery::runtime
