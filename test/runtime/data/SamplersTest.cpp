// Sample order against recorded batches.
#include "runtime/data/Samplers.h"

#include "test/runtime/data/RecordedArray.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

TEST(Sampler, GivesTheRecordedBatches) {
  for (const auto &entry :
       test::readJson(test::recorded("indexmaps/samplers.json"))) {
    const bool cyclic = entry["type"] == "cyclic";
    const int64_t micro = entry["micro_batch_size"];
    const auto &ranks = entry["batches_per_rank"];
    for (size_t rank = 0; rank < ranks.size(); ++rank) {
      auto sampler = Sampler::create(
          cyclic ? job::Data::CYCLIC : job::Data::SINGLE,
          entry["total_samples"], micro, entry["data_parallel_size"], rank);
      ASSERT_TRUE(sampler.ok()) << sampler.status();
      std::vector<int64_t> got(micro);
      for (size_t j = 0; j < ranks[rank].size(); ++j) {
        ASSERT_TRUE(sampler->indices(entry["consumed_samples"], j, got).ok());
        EXPECT_EQ(got, ranks[rank][j].get<std::vector<int64_t>>());
      }
      // The incomplete rest is dropped by one and never reached by the other.
      const absl::Status behind =
          sampler->indices(entry["consumed_samples"], ranks[rank].size(), got);
      EXPECT_EQ(behind.code(),
                cyclic ? absl::StatusCode::kOk : absl::StatusCode::kOutOfRange);
    }
  }
}

TEST(Sampler, CyclesThroughEveryEpochInAnotherOrder) {
  auto sampler = Sampler::create(job::Data::CYCLIC, 50, 2, 2, 1);
  ASSERT_TRUE(sampler.ok());
  std::vector<int64_t> first(2), again(2);
  ASSERT_TRUE(sampler->indices(0, 0, first).ok());
  ASSERT_TRUE(sampler->indices(0, 12, again).ok()); // 12 * 4 = 48 = an epoch
  EXPECT_NE(first, again);
  ASSERT_TRUE(sampler->indices(48, 0, first).ok());
  EXPECT_EQ(first, again);
}

TEST(Sampler, RefusesFewerSamplesThanOneMicrobatchEverywhere) {
  auto sampler = Sampler::create(job::Data::SINGLE, 7, 2, 4, 0);
  EXPECT_EQ(sampler.status().code(), absl::StatusCode::kInvalidArgument);
}

} // namespace
} // namespace orrery::runtime
