// Batch-size ramp-up against the recorded original and against its
// definition, stepped one iteration at a time.
#include "frontend/job/BatchSchedule.h"
#include "frontend/job/Check.h"

#include "test/frontend/Recorded.h"

#include <gtest/gtest.h>

using namespace orrery;
using job::BatchRampUp;
using job::BatchStage;

static BatchRampUp rampUp(int64_t start, int64_t increment, int64_t samples) {
  BatchRampUp ramp;
  ramp.set_start(start);
  ramp.set_increment(increment);
  ramp.set_samples(samples);
  return ramp;
}

/// The definition, one iteration at a time.
static std::vector<BatchStage> stepped(const BatchRampUp &ramp,
                                       int64_t global) {
  std::vector<BatchStage> stages;
  int64_t consumed = 0;
  for (int64_t iteration = 0;; ++iteration) {
    int64_t batch = job::batchAt(ramp, global, consumed);
    if (stages.empty() || stages.back().batch != batch ||
        consumed > ramp.samples())
      stages.push_back({batch, iteration, consumed});
    if (consumed > ramp.samples())
      return stages;
    consumed += batch;
  }
}

TEST(BatchSchedule, WalksStagesAsSteppingDoes) {
  const int64_t cases[][4] = {{4, 4, 160, 16},   {1, 1, 7, 8},
                              {2, 2, 1000, 16},  {16, 16, 5859, 1536},
                              {3, 7, 10007, 73}, {5, 5, 1, 500},
                              {1, 999, 1, 1000}, {8, 8, 8, 64}};
  for (const auto &[start, increment, samples, global] : cases) {
    SCOPED_TRACE(testing::Message() << start << " " << increment << " "
                                    << samples << " to " << global);
    BatchRampUp ramp = rampUp(start, increment, samples);
    std::vector<BatchStage> walked = job::batchStages(ramp, global);
    std::vector<BatchStage> expected = stepped(ramp, global);
    ASSERT_EQ(walked.size(), expected.size());
    for (size_t i = 0; i < walked.size(); ++i) {
      EXPECT_EQ(walked[i].batch, expected[i].batch);
      EXPECT_EQ(walked[i].firstIteration, expected[i].firstIteration);
      EXPECT_EQ(walked[i].firstSample, expected[i].firstSample);
    }
  }
}

TEST(BatchSchedule, GivesTheIterationsOfGpt3) {
  BatchRampUp ramp = rampUp(16, 16, 5859375);
  std::vector<BatchStage> stages = job::batchStages(ramp, 1536);
  EXPECT_EQ(stages[1].batch, 32);
  EXPECT_EQ(stages[1].firstIteration, 3855);
  EXPECT_EQ(stages.back().firstIteration, 19802);
  EXPECT_EQ(stages.back().firstSample, 5859424);
  EXPECT_EQ(job::trainIterations(146484375, &ramp, 1536), 111354);
}

TEST(BatchSchedule, AgreesWithRecordedTrainIterations) {
  auto path = test::recordedFolder() / "cli" / "microbatches.json";
  ORRERY_SKIP_WITHOUT(path);
  nlohmann::json cases = test::readJson(path)["train_iters_from_samples"];
  ASSERT_FALSE(cases.empty());
  for (const nlohmann::json &entry : cases) {
    SCOPED_TRACE(entry.dump());
    BatchRampUp ramp;
    bool ramped = !entry["rampup_batch_size"].is_null();
    if (ramped) {
      auto number = [&](int i) {
        std::string text = entry["rampup_batch_size"][i];
        std::erase(text, '_');
        return std::stoll(text);
      };
      ramp = rampUp(number(0), number(1), number(2));
    }
    EXPECT_EQ(job::trainIterations(entry["train_samples"],
                                   ramped ? &ramp : nullptr,
                                   entry["global_batch_size"]),
              entry["train_iters"].get<int64_t>());
  }
}

TEST(BatchSchedule, AgreesWithRecordedRampUps) {
  auto path = test::recordedFolder() / "cli" / "microbatches.json";
  ORRERY_SKIP_WITHOUT(path);
  int compared = 0;
  nlohmann::json record = test::readJson(path);
  for (const nlohmann::json &entry : record["rampup"]) {
    const nlohmann::json &params = entry["params"];
    if (!entry.contains("at_consumed_gbs_num") ||
        entry["at_consumed_gbs_num"].is_null())
      continue;
    BatchRampUp ramp =
        rampUp(params["start_batch_size"], params["batch_size_increment"],
               params["rampup_samples"]);
    for (const nlohmann::json &row : entry["at_consumed_gbs_num"]) {
      EXPECT_EQ(job::batchAt(ramp, params["global_batch_size"], row[0]),
                row[1].get<int64_t>())
          << params.dump() << " at " << row[0];
      ++compared;
    }
  }
  EXPECT_GT(compared, 10);
}

/// The recorded changes of batch size, and the faults, by job::checkBatch.
TEST(BatchSchedule, ChecksRecordedRampUps) {
  auto path = test::recordedFolder() / "cli" / "microbatches.json";
  ORRERY_SKIP_WITHOUT(path);
  nlohmann::json record = test::readJson(path);
  ASSERT_FALSE(record["rampup"].empty());
  for (const nlohmann::json &entry : record["rampup"]) {
    SCOPED_TRACE(entry["params"].dump());
    const nlohmann::json &params = entry["params"];
    job::JobSpec job;
    job::Parallel &parallel = *job.mutable_parallel();
    parallel.set_micro_batch_size(params["micro_batch_size"]);
    parallel.set_data(params["data_parallel_size"]);
    parallel.set_pipeline(1);
    parallel.set_chunks(1);
    parallel.set_global_batch_size(params["global_batch_size"]);
    *parallel.mutable_ramp_up() =
        rampUp(params["start_batch_size"], params["batch_size_increment"],
               params["rampup_samples"]);
    job::Diagnostics faults;
    job::checkBatch(job, faults);
    bool wrong = entry.contains("constructor_error") || entry.contains("error");
    EXPECT_EQ(!faults.empty(), wrong) << job::format(faults);
    if (wrong)
      continue;
    std::vector<BatchStage> stages =
        job::batchStages(parallel.ramp_up(), parallel.global_batch_size());
    size_t next = 0;
    for (const nlohmann::json &row :
         entry["changes_iteration_consumed_gbs_num"]) {
      ASSERT_LT(next, stages.size());
      EXPECT_EQ(stages[next].firstIteration, row[0].get<int64_t>());
      EXPECT_EQ(stages[next].firstSample, row[1].get<int64_t>());
      EXPECT_EQ(stages[next].batch, row[2].get<int64_t>());
      ++next;
    }
  }
}

TEST(BatchSchedule, ChecksRecordedConstantBatches) {
  auto path = test::recordedFolder() / "cli" / "microbatches.json";
  ORRERY_SKIP_WITHOUT(path);
  nlohmann::json record = test::readJson(path);
  ASSERT_FALSE(record["constant"].empty());
  for (const nlohmann::json &row : record["constant"]) {
    job::JobSpec job;
    job.mutable_parallel()->set_global_batch_size(row[0]);
    job.mutable_parallel()->set_micro_batch_size(row[1]);
    job.mutable_parallel()->set_data(row[2]);
    job.mutable_parallel()->set_chunks(1);
    job::Diagnostics faults;
    job::checkBatch(job, faults);
    EXPECT_EQ(faults.empty(), row[4].is_null()) << row.dump();
  }
}
