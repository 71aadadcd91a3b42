// A run that stops and goes on equals one that did not stop.
#include "test/e2e/SmallJob.h"

#include <map>

namespace orrery::test {
namespace {

/// The metrics of an uninterrupted run of the layout.
const Metrics &uninterrupted(const Layout &layout) {
  static std::map<std::string, Metrics> runs;
  auto [entry, isNew] = runs.try_emplace(layout.name);
  if (isNew) {
    TestFolder folder;
    entry->second = trainJob(layout, folder);
  }
  return entry->second;
}

class Resume : public testing::TestWithParam<Layout> {};

TEST_P(Resume, GoesOnBitForBit) {
  const Layout &layout = GetParam();
  ASSERT_EQ(uninterrupted(layout).steps.size(), 30u);
  TestFolder folder;
  std::string saved = folder / "checkpoints";
  Metrics first = trainJob(layout, folder, {"--steps", "15", "--save", saved});
  ASSERT_EQ(first.steps.size(), 15u);
  Metrics second = trainJob(layout, folder, {"--load", saved});
  EXPECT_EQ(after(second, 15).lines, after(uninterrupted(layout), 15).lines);
}

INSTANTIATE_TEST_SUITE_P(Layouts, Resume,
                         testing::Values(Layout{"one"}, Layout{"dp2", 1, 1, 2},
                                         Layout{"tp2pp2", 2, 2}),
                         [](const testing::TestParamInfo<Layout> &info) {
                           return info.param.name;
                         });

TEST(ResumeElsewhere, ContinuesInOtherLayouts) {
  TestFolder folder;
  Layout four{"tp2pp2", 2, 2};
  std::string saved = folder / "checkpoints";
  ASSERT_EQ(
      trainJob(four, folder, {"--steps", "15", "--save", saved}).steps.size(),
      15u);
  Metrics expected = after(uninterrupted(four), 15);
  ASSERT_EQ(expected.steps.size(), 15u);
  for (const Layout &layout :
       {Layout{"one"}, Layout{"dp2", 1, 1, 2}, Layout{"tp4", 4}}) {
    Metrics metrics = trainJob(layout, folder, {"--load", saved});
    EXPECT_TRUE(lossesAgree(after(metrics, 15), expected, 1e-5)) << layout.name;
  }
}

} // namespace
} // namespace orrery::test
