// Loss scales against recorded sequences of overflows.
#include "runtime/data/LossScaler.h"

#include "test/runtime/data/RecordedArray.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

using nlohmann::json;

job::JobSpec dynamicJob(const json &parameters) {
  job::JobSpec job;
  job.mutable_model()->set_dtype(job::FLOAT16);
  job::Train &train = *job.mutable_train();
  train.set_initial_loss_scale(parameters["initial_scale"]);
  train.set_min_loss_scale(parameters["min_scale"]);
  train.set_loss_scale_window(parameters["growth_interval"]);
  train.set_loss_scale_hysteresis(parameters["hysteresis"]);
  return job;
}

TEST(LossScaler, FollowsTheRecordedOverflows) {
  const json file = test::readJson(test::recorded("indexmaps/schedulers.json"));
  for (const json &entry : file["grad_scaler"]) {
    auto scaler = LossScaler::create(dynamicJob(entry["args"]));
    ASSERT_TRUE(scaler.ok()) << scaler.status();
    const std::string pattern = entry["found_inf_pattern"];
    const std::vector<double> want = entry["scale_after_k_updates"];
    EXPECT_EQ(scaler->scale(), want[0]);
    for (size_t k = 0; k < pattern.size(); ++k) {
      EXPECT_EQ(scaler->update(pattern[k] == '1'), pattern[k] == '1');
      EXPECT_EQ(scaler->scale(), want[k + 1]) << k;
    }
  }
}

TEST(LossScaler, EndsEveryRecordedPatternInTheRecordedState) {
  ORRERY_NEEDS_SHARED();
  const json file = test::readJson(
      test::sharedFolder() +
      "/golden/cli/scaler/megatron_v25_dynamic_grad_scaler.json");
  for (const json &entry : file["cases"]) {
    SCOPED_TRACE(entry["name"].get<std::string>());
    auto scaler = LossScaler::create(dynamicJob(entry["params"]));
    ASSERT_TRUE(scaler.ok()) << scaler.status();
    const std::string pattern = entry["pattern"];
    for (size_t k = 0; k < pattern.size(); ++k) {
      scaler->update(pattern[k] == 'o');
      ASSERT_EQ(scaler->scale(), entry["scale"][k].get<double>()) << k;
    }
    EXPECT_EQ(scaler->state().good, entry["final_growth_tracker"]);
    EXPECT_EQ(scaler->state().hysteresis, entry["final_hysteresis_tracker"]);
    EXPECT_EQ(scaler->inverse(), entry["final_inv_scale"].get<double>());
  }
}

TEST(LossScaler, GoesOnFromARestoredState) {
  const json parameters = {{"initial_scale", 1024},
                           {"min_scale", 1},
                           {"growth_interval", 3},
                           {"hysteresis", 2}};
  auto through = LossScaler::create(dynamicJob(parameters));
  auto resumed = LossScaler::create(dynamicJob(parameters));
  ASSERT_TRUE(through.ok() && resumed.ok());
  for (bool overflow : {true, false, true, true})
    through->update(overflow);
  resumed->restore(through->state());
  for (bool overflow : {false, false, true, false, false, false}) {
    through->update(overflow);
    resumed->update(overflow);
    EXPECT_EQ(through->scale(), resumed->scale());
  }
}

TEST(LossScaler, IsConstantWhenAskedAndOffOtherwise) {
  job::JobSpec job;
  job.mutable_model()->set_dtype(job::BFLOAT16);
  auto none = LossScaler::create(job);
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->checksOverflow());
  EXPECT_FALSE(none->update(true));
  EXPECT_EQ(none->scale(), 1.0f);
  job.mutable_train()->set_constant_loss_scale(8192);
  auto constant = LossScaler::create(job);
  ASSERT_TRUE(constant.ok());
  EXPECT_TRUE(constant->update(true));
  EXPECT_FALSE(constant->update(false));
  EXPECT_EQ(constant->scale(), 8192.0f);
  EXPECT_EQ(constant->inverse(), 1.0f / 8192.0f);
  job.mutable_model()->set_dtype(job::FLOAT32);
  EXPECT_EQ(LossScaler::create(job)->scale(), 1.0f);
}

TEST(LossScaler, RefusesScalesThatAreNotPositive) {
  job::JobSpec job;
  job.mutable_model()->set_dtype(job::FLOAT16);
  job.mutable_train()->set_constant_loss_scale(-2);
  EXPECT_FALSE(LossScaler::create(job).ok());
  job.mutable_train()->set_constant_loss_scale(0);
  EXPECT_FALSE(LossScaler::create(job).ok()); // no window, no hysteresis
}

} // namespace
} // namespace orrery::runtime
