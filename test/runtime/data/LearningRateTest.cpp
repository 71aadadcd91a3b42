// Learning rates against recorded schedules, exactly.
#include "runtime/data/LearningRate.h"

#include "test/runtime/data/RecordedArray.h"

#include <cmath>
#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

using nlohmann::json;

job::Train trainOf(const json &parameters) {
  job::Train train;
  train.set_lr(parameters["max_lr"]);
  train.set_min_lr(parameters["min_lr"]);
  train.set_lr_warmup_samples(parameters["warmup_steps"]);
  train.set_lr_decay_samples(parameters["decay_steps"]);
  const std::string style = parameters["decay_style"];
  train.set_decay(style == "constant" ? job::Train::CONSTANT
                  : style == "linear" ? job::Train::LINEAR
                                      : job::Train::COSINE);
  return train;
}

TEST(LearningRate, EqualsTheRecordedSchedules) {
  const auto recordedSchedules =
      test::readJson(test::recorded("indexmaps/schedulers.json"));
  for (const json &entry : recordedSchedules["learning_rate"]) {
    auto rate = LearningRate::create(trainOf(entry["args"]));
    ASSERT_TRUE(rate.ok()) << rate.status();
    const int64_t increment = entry["increment"];
    const std::vector<double> want = entry["lr_after_k_steps"];
    for (size_t k = 0; k < want.size(); ++k)
      EXPECT_EQ(rate->at(static_cast<int64_t>(k) * increment), want[k]) << k;
  }
}

TEST(LearningRate, EqualsTheRecordedLongSchedules) {
  ORRERY_NEEDS_SHARED();
  const json file = test::readJson(
      test::sharedFolder() + "/golden/cli/lr/megatron_v25_annealing.json");
  for (const json &entry : file["cases"]) {
    SCOPED_TRACE(entry["name"].get<std::string>());
    auto rate = LearningRate::create(trainOf(entry["params"]));
    ASSERT_TRUE(rate.ok()) << rate.status();
    EXPECT_EQ(rate->at(0), entry["initial_lr"].get<double>());
    const std::vector<double> want = entry["lr"];
    int64_t samples = 0;
    for (size_t k = 0; k < want.size(); ++k) {
      samples += entry["increment"].is_null()
                     ? entry["increments"][k].get<int64_t>()
                     : entry["increment"].get<int64_t>();
      ASSERT_EQ(rate->at(samples), want[k]) << k;
    }
    EXPECT_EQ(samples, entry["num_steps_at_end"]);
  }
}

TEST(LearningRate, RefusesSchedulesThatDoNotFall) {
  job::Train good;
  good.set_lr(1e-3);
  good.set_lr_decay_samples(100);
  ASSERT_TRUE(LearningRate::create(good).ok());
  job::Train train = good;
  train.set_min_lr(1e-2);
  EXPECT_FALSE(LearningRate::create(train).ok());
  train.set_min_lr(-1);
  EXPECT_FALSE(LearningRate::create(train).ok());
  train = good;
  train.set_lr_warmup_samples(100);
  EXPECT_FALSE(LearningRate::create(train).ok());
  train = good;
  train.set_lr(NAN);
  EXPECT_FALSE(LearningRate::create(train).ok());
}

} // namespace
} // namespace orrery::runtime
