// Every layout trains like one rank; the same plan gives the same bits.
#include "test/e2e/SmallJob.h"

namespace orrery::test {
namespace {

const Metrics &oneRank() {
  static const Metrics metrics = [] {
    TestFolder folder;
    return trainJob({"one"}, folder);
  }();
  return metrics;
}

class Layouts : public testing::TestWithParam<Layout> {};

TEST_P(Layouts, GiveTheLossesOfOneRank) {
  ASSERT_EQ(oneRank().steps.size(), 30u);
  TestFolder folder;
  EXPECT_TRUE(lossesAgree(trainJob(GetParam(), folder), oneRank(), 1e-5));
}

INSTANTIATE_TEST_SUITE_P(
    All, Layouts,
    testing::Values(Layout{"tp2", 2}, Layout{"tp4", 4},
                    Layout{"tp2sp", 2, 1, 1, true},
                    Layout{"tp4spInPieces", 4, 1, 1, true, 4},
                    Layout{"tp2spGatheredAgain", 2, 1, 1, true, 1, "small"},
                    Layout{"tp2pp2spInPieces", 2, 2, 1, true, 2},
                    Layout{"pp2", 1, 2}, Layout{"pp4", 1, 4},
                    Layout{"dp2", 1, 1, 2}, Layout{"dp4", 1, 1, 4},
                    Layout{"tp2pp2", 2, 2}, Layout{"tp2dp2", 2, 1, 2},
                    Layout{"pp2dp2", 1, 2, 2}, Layout{"tp2pp2dp2", 2, 2, 2}),
    [](const testing::TestParamInfo<Layout> &info) { return info.param.name; });

// Streams aside, CPUs run the pieces that GPUs overlap.
TEST(CollectivesInPieces, GiveTheLossesOfWholeOnes) {
  const Layout whole{"whole", 2, 1, 1, true, 1};
  const Layout pieces{"pieces", 2, 1, 1, true, 2};
  TestFolder folder;
  const Metrics expected = trainJob(whole, folder);
  ASSERT_EQ(expected.steps.size(), 30u);
  EXPECT_TRUE(lossesAgree(trainJob(pieces, folder), expected, 1e-6));
  EXPECT_NE(run({"cmp", folder / "whole.plan", folder / "pieces.plan"}).code,
            0);
}

TEST(OneRank, LearnsWithDropout) {
  const Metrics &metrics = oneRank();
  ASSERT_EQ(metrics.steps.size(), 30u);
  // ln 257 = 5.55 for a model that knows nothing.
  EXPECT_NEAR(metrics.steps.front().lmLoss, 5.55, 0.6);
  EXPECT_LT(metrics.steps.back().lmLoss, metrics.steps.front().lmLoss - 0.8);
  EXPECT_EQ(metrics.steps.back().consumedSamples, 240);
  // After steps 10, 20, 30 and at the end; then the test split.
  EXPECT_EQ(metrics.evaluations.size(), 5u);
}

TEST(SamePlan, GivesTheSameBits) {
  for (const Layout &layout : {Layout{"one"}, Layout{"tp2pp2", 2, 2}}) {
    TestFolder first, second;
    Metrics once = trainJob(layout, first), again = trainJob(layout, second);
    ASSERT_EQ(once.steps.size(), 30u) << layout.name;
    EXPECT_EQ(once.lines, again.lines) << layout.name;
  }
}

TEST(SamePlan, IsTheSameBytesWhenCompiledTwice) {
  TestFolder folder;
  Layout layout{"tp2pp2", 2, 2};
  std::string first = folder / "first.plan", second = folder / "second.plan";
  ASSERT_EQ(compileJob(layout, first).code, 0);
  ASSERT_EQ(compileJob(layout, second).code, 0);
  EXPECT_EQ(run({"cmp", first, second}).code, 0);
}

} // namespace
} // namespace orrery::test
