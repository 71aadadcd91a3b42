// The walk over the schedules of all stages: what it proves and what it finds.
#include "runtime/plan/PlanCheck.h"
#include "test/runtime/plan/ToyPlan.h"

#include <gtest/gtest.h>

#include <chrono>

namespace orrery::runtime {
namespace {

using test::instructionOf;

absl::Status check(const plan::Plan &plan, int64_t microbatches) {
  Mesh mesh = *Mesh::create(plan.mesh());
  return checkSchedules(plan, mesh, microbatches);
}

void expectFault(const plan::Plan &plan, int64_t microbatches,
                 std::vector<std::string> words) {
  absl::Status status = check(plan, microbatches);
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const std::string &word : words)
    EXPECT_NE(status.message().find(word), std::string::npos)
        << "no '" << word << "' in: " << status.message();
}

TEST(ScheduleCheck, ProvesOneForwardOneBackwardForAnyMicrobatches) {
  for (int32_t pp : {1, 2, 3, 6})
    for (int64_t microbatches : {1, 2, 3, 5, 6, 7, 20}) {
      absl::Status status =
          check(test::toyPlan({.pp = pp, .layers = 6}), microbatches);
      EXPECT_TRUE(status.ok()) << status;
    }
}

TEST(ScheduleCheck, FindsAReceiveWithoutItsSend) {
  plan::Plan plan = test::toyPlan({.pp = 2});
  plan.mutable_classes(0)
      ->mutable_programs(0)
      ->mutable_instructions()
      ->RemoveLast();
  expectFault(plan, 4, {"would hang", "stage 0", "program 'backward'"});
}

TEST(ScheduleCheck, FindsASendWithoutItsReceive) {
  plan::Plan plan = test::toyPlan({.pp = 2});
  instructionOf(plan, 1, "evaluate", 0)->clear_receive();
  expectFault(plan, 2, {"never received by stage 1", "program 'evaluate'"});
}

TEST(ScheduleCheck, FindsMessagesOfDifferentSize) {
  plan::Plan plan = test::toyPlan({.pp = 2});
  plan::View *view =
      instructionOf(plan, 1, "forward", 0)->mutable_receive()->mutable_view();
  view->set_shape(0, 6);
  expectFault(plan, 1, {"receives 48 x F32", "send has 96 x F32"});
}

TEST(ScheduleCheck, FindsMessagesOfDifferentType) {
  plan::Plan plan = test::toyPlan({.pp = 2});
  instructionOf(plan, 1, "forward", 0)
      ->mutable_receive()
      ->mutable_view()
      ->set_type(plan::I32);
  expectFault(plan, 1, {"receives 96 x I32", "send has 96 x F32"});
}

TEST(ScheduleCheck, FindsDifferentTags) {
  plan::Plan plan = test::toyPlan({.pp = 2});
  instructionOf(plan, 1, "forward", 0)->mutable_receive()->set_tag(9);
  expectFault(plan, 1, {"would hang"});
}

// Stage 0 asks for a gradient before it has sent the activation that stage 1
// needs to compute it.
TEST(ScheduleCheck, FindsStagesThatWaitForEachOther) {
  plan::Plan plan = test::toyPlan({.pp = 2});
  auto *phases = plan.mutable_classes(0)->mutable_train()->mutable_phases();
  phases->SwapElements(0, 2);
  expectFault(plan, 1, {"would hang", "instruction 0 (receive"});
}

TEST(ScheduleCheck, FindsTooLittleWarmUp) {
  plan::Plan plan = test::toyPlan({.pp = 4});
  plan.mutable_classes(0)->mutable_members(0)->set_warmup(4);
  expectFault(plan, 8, {"has 4 slots", "still needs microbatch 0"});
}

TEST(ScheduleCheck, FindsSlotsReusedTooEarly) {
  plan::Plan plan = test::toyPlan({.pp = 4});
  plan.mutable_classes(0)->mutable_members(0)->set_slots(3);
  expectFault(plan, 8, {"stage 0", "has 3 slots", "'backward' still needs"});
  EXPECT_TRUE(check(plan, 3).ok());
}

TEST(ScheduleCheck, FindsCollectivesThatDoNotMeet) {
  plan::Plan plan = test::toyPlan({.pp = 2});
  // Only the last stage takes part in the reduction of the tied weights.
  instructionOf(plan, 0, "update", 1)->clear_collective();
  expectFault(plan, 2, {"would hang", "program 'update'"});
}

TEST(ScheduleCheck, FindsCollectivesInDifferentOrder) {
  plan::Plan plan = test::toyPlan({.pp = 2});
  plan.mutable_classes(0)
      ->mutable_programs(2)
      ->mutable_instructions()
      ->SwapElements(1, 4);
  expectFault(plan, 2, {"would hang"});
}

TEST(ScheduleCheck, FindsCollectivesOfDifferentSize) {
  plan::Plan plan = test::toyPlan({.pp = 2});
  instructionOf(plan, 0, "update", 1)
      ->mutable_collective()
      ->mutable_in()
      ->set_shape(0, 3);
  expectFault(plan, 2, {"communicator 'tied'", "other side has"});
}

TEST(ScheduleCheck, FindsUnknownPrograms) {
  plan::Plan plan = test::toyPlan({.pp = 2});
  plan.mutable_classes(1)->mutable_train()->mutable_phases(1)->set_programs(
      0, "froward");
  expectFault(plan, 2, {"class 'last', schedule 'train'", "'froward'"});
}

TEST(ScheduleCheck, FindsProgramsThatMissMicrobatches) {
  plan::Plan plan = test::toyPlan({.pp = 1});
  plan.mutable_classes(0)->mutable_train()->mutable_phases(1)->set_count(
      plan::Schedule::Phase::FIRST);
  expectFault(plan, 3, {"runs 0 times in a step of 3 microbatches"});
}

TEST(ScheduleCheck, TakesSecondsForTheLargestPipelines) {
  plan::Plan plan =
      test::toyPlan({.pp = 64, .layers = 128, .microbatches = 512});
  auto begin = std::chrono::steady_clock::now();
  absl::Status status = checkPlan(plan);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(MicrobatchCounts, FollowTheRampUp) {
  plan::Plan plan = test::toyPlan({.pp = 2, .microbatches = 64});
  Mesh mesh = *Mesh::create(plan.mesh());
  EXPECT_EQ(microbatchCounts(plan, mesh), (std::vector<int64_t>{64}));
  job::BatchRampUp *ramp =
      plan.mutable_job()->mutable_parallel()->mutable_ramp_up();
  ramp->set_start(2);
  ramp->set_increment(4);
  EXPECT_EQ(microbatchCounts(plan, mesh), (std::vector<int64_t>{1, 3, 5, 64}));
}

} // namespace
} // namespace orrery::runtime
