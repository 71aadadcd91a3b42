// Blends against recorded choices.
#include "runtime/data/Blend.h"

#include "test/runtime/data/RecordedArray.h"

#include <filesystem>
#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

using test::recorded;

TEST(Blend, EqualsTheRecordedChoices) {
  int compared = 0;
  const auto manifest =
      test::readJson(recorded("indexmaps/blend_manifest.json"));
  for (const auto &entry : manifest["blend"]) {
    const std::string path =
        recorded("indexmaps/" + entry["file"].get<std::string>());
    if (!std::filesystem::exists(path))
      continue; // one of the manifest's files was not recorded
    auto arrays = test::readNpz(path);
    const std::vector<double> weights = entry["weights"];
    auto blend = Blend::build(weights, entry["size"]);
    ASSERT_TRUE(blend.ok()) << blend.status();
    for (int64_t i = 0; i < blend->size(); ++i) {
      const Blend::Choice choice = blend->at(i);
      ASSERT_EQ(choice.dataset, arrays["dataset_index"].integers[i]) << i;
      ASSERT_EQ(choice.sample, arrays["dataset_sample_index"].integers[i]) << i;
    }
    ++compared;
  }
  EXPECT_EQ(compared, 5);
}

TEST(Blend, AsksForTheRecordedNumberOfSamples) {
  const auto manifest =
      test::readJson(recorded("indexmaps/blend_manifest.json"));
  for (const auto &entry : manifest["weights_and_num_samples"]) {
    std::vector<double> raw;
    for (size_t i = 0; i < entry["data_path"].size(); i += 2)
      raw.push_back(std::stod(entry["data_path"][i].get<std::string>()));
    auto weights = normalised(raw);
    ASSERT_TRUE(weights.ok());
    for (size_t i = 0; i < raw.size(); ++i) {
      EXPECT_EQ((*weights)[i], entry["weights"][i].get<double>());
      for (size_t split = 0; split < 3; ++split)
        EXPECT_EQ(blendTarget(entry["train_valid_test_num_samples"][split],
                              (*weights)[i]),
                  entry["datasets_num_samples"][i][split]);
    }
  }
}

TEST(Blend, FollowsTheWeightsOfManyDataSets) {
  std::vector<double> weights(300);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = 1.0 + static_cast<double>(i % 7);
  auto blend = Blend::build(weights, 30000);
  ASSERT_TRUE(blend.ok());
  std::vector<int64_t> counts(weights.size());
  for (int64_t i = 0; i < blend->size(); ++i) {
    const Blend::Choice choice = blend->at(i);
    EXPECT_EQ(choice.sample, counts[choice.dataset]++);
  }
  auto shares = normalised(weights);
  for (size_t i = 0; i < weights.size(); ++i)
    EXPECT_NEAR(static_cast<double>(counts[i]), (*shares)[i] * 30000, 1.5);
}

TEST(Blend, RefusesWeightsThatAreNoShares) {
  EXPECT_FALSE(normalised(std::vector<double>{1, -1}).ok());
  EXPECT_FALSE(normalised(std::vector<double>{0, 0}).ok());
  EXPECT_FALSE(normalised(std::vector<double>{1, INFINITY}).ok());
}

} // namespace
} // namespace orrery::runtime
