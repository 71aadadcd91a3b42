// What `orrery-plan show` prints about a hand-written plan.
#include "tools/orrery-plan/Show.h"

#include "runtime/plan/PlanCheck.h"
#include "test/runtime/plan/ToyPlan.h"

#include <gmock/gmock.h>

using namespace orrery;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

static plan::Plan checkedPlan(const test::ToyLayout &layout) {
  plan::Plan plan = test::toyPlan(layout);
  EXPECT_TRUE(runtime::checkPlan(plan).ok());
  return plan;
}

TEST(ShowPlan, NamesMeshAndCommunicators) {
  std::string text = describePlan(checkedPlan({.pp = 2, .dp = 3, .tp = 2}));
  EXPECT_THAT(text, HasSubstr("mesh     pp 2 × dp 3 × tp 2 = 12 ranks; rank = "
                              "(pp * 3 + dp) * 2 + tp\n"));
  EXPECT_THAT(text, ContainsRegex("tensor +tp +6 +2 +0 1\n"));
  EXPECT_THAT(text, ContainsRegex("data +dp +4 +3 +0 2 4\n"));
  EXPECT_THAT(text, ContainsRegex("model +pp\\+tp +3 +4 +0 1 6 7\n"));
}

TEST(ShowPlan, CountsTiedParametersOnce) {
  // [24, 8] words, [6, 8] positions, 4 layers of 192 + 192 + 8, 8 at the end.
  std::string text = describePlan(checkedPlan({.pp = 2, .tp = 2}));
  EXPECT_THAT(text,
              HasSubstr("whole job: 4 ranks, " +
                        std::to_string(32 * 8 + 6 * 8 + 4 * (2 * 192 + 8) + 8)
                            .insert(1, ",") +
                        " parameters"));
  EXPECT_THAT(text, ContainsRegex("embedding.weight +\\[32/tp, 8\\] +128\n"));
  EXPECT_THAT(text, ContainsRegex("embedding.weight +\\[32/tp, 8\\] +128 +"
                                  "tied copy\n"));
}

TEST(ShowPlan, ShowsAClassOfSeveralStagesOnce) {
  std::string text = describePlan(checkedPlan({.pp = 4}));
  EXPECT_THAT(text, HasSubstr("class middle: 2 stages, 1 to 2, first layers 1 "
                              "to 2; 2 ranks\n"));
  EXPECT_THAT(text, ContainsRegex("layers.\\{layer\\}.row +\\[8, 24/tp\\] +1 +"
                                  "192\n"));
}

TEST(ShowPlan, TotalsTheMessages) {
  std::string text =
      describePlan(checkedPlan({.pp = 2, .tp = 2, .microbatches = 8}));
  EXPECT_THAT(text, ContainsRegex("send +pipeline +pp +8 "));
  EXPECT_THAT(text, ContainsRegex("all_reduce +tensor +tp +8 "));
  // 4 ranks of 8 each.
  EXPECT_THAT(text, ContainsRegex("all_reduce +tensor +tp +32 "));
}

TEST(ShowRank, DrawsTheSchedule) {
  plan::Plan plan = checkedPlan({.pp = 2, .microbatches = 4});
  absl::StatusOr<std::string> first = describeRank(plan, 0);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(*first, HasSubstr("step of 4 microbatches: F0 F1 B0 F2 B1 F3 B2 "
                                "B3 update\n"));
  absl::StatusOr<std::string> last = describeRank(plan, 1);
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_THAT(*last, HasSubstr("step of 4 microbatches: F0 B0 F1 B1 F2 B2 F3 "
                               "B3 update\n"));
}

TEST(ShowRank, ListsInstructionsWithOperandsAndGroups) {
  plan::Plan plan = checkedPlan({.pp = 2, .tp = 2});
  absl::StatusOr<std::string> text = describeRank(plan, 3);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, HasSubstr("rank 3: pp 1, dp 0, tp 1; class last"));
  EXPECT_THAT(*text, ContainsRegex("receive +receive +pipeline -1 +> input"));
  EXPECT_THAT(*text,
              ContainsRegex("gemm .*< input\\[.*, 8\\], < .*, > output"));
  EXPECT_THAT(*text, ContainsRegex("all_reduce +tensor "));
  EXPECT_THAT(*text, ContainsRegex("fused0 "));
  EXPECT_THAT(*text, Not(HasSubstr("pipeline +1  >")));
}

TEST(ShowRank, NamesTheEpilogueOfAProduct) {
  plan::Plan plan = checkedPlan({});
  plan::Gemm &gemm =
      *test::instructionOf(plan, 0, "forward", 1)->mutable_gemm();
  gemm.set_epilogue(plan::Gemm::GELU_GRAD);
  *gemm.mutable_aux() = gemm.a();
  absl::StatusOr<std::string> text = describeRank(plan, 0);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, ContainsRegex("gemm\\+gelu_grad .*< input\\[.*, 8\\], < "
                                   ".*, > output.*, < input\\["));
}

TEST(ShowRank, TellsWhatRunsBesideTheRestOrOnce) {
  plan::Plan plan = checkedPlan({});
  absl::StatusOr<std::string> text = describeRank(plan, 0);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, Not(HasSubstr("last run")));
  plan::Instruction &gemm = *test::instructionOf(plan, 0, "forward", 1);
  gemm.set_label("matmul");
  gemm.set_last_run_only(true);
  text = describeRank(plan, 0);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, ContainsRegex("gemm +matmul \\(last run\\) "));
  gemm.set_stream(1);
  text = describeRank(plan, 0);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, ContainsRegex("gemm +matmul \\(stream 1, last run\\) "));
  gemm.set_last_run_only(false);
  gemm.mutable_gemm()->set_first_run_overwrites(true);
  text = describeRank(plan, 0);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, HasSubstr("first run overwrites: C = A B in a step's"));
  EXPECT_THAT(*text, ContainsRegex("gemm +matmul \\(stream 1, first run "
                                   "overwrites\\) "));
}

TEST(ShowRank, RefusesARankOutsideTheMesh) {
  plan::Plan plan = checkedPlan({.pp = 2});
  EXPECT_TRUE(absl::IsOutOfRange(describeRank(plan, 2).status()));
  EXPECT_TRUE(absl::IsOutOfRange(describeRank(plan, 1ll << 40).status()));
}
