// Messages, work and arena bytes counted from programs.
#include "tools/orrery-plan/Traffic.h"

#include "test/runtime/plan/ToyPlan.h"
#include "tools/orrery-plan/ArenaUse.h"

#include <gtest/gtest.h>

using namespace orrery;

// The toy plan's sequence 6 × batch 2 × hidden 8 activations of 4 bytes.
static int64_t streamBytes(const plan::Plan &plan) {
  for (const plan::Buffer &buffer : plan.classes(0).buffers())
    if (buffer.name() == "output")
      return static_cast<int64_t>(buffer.bytes());
  return -1;
}

TEST(Traffic, CountsTheMessagesOfAPipelineStage) {
  plan::Plan plan = test::toyPlan({.pp = 2, .tp = 2, .microbatches = 8});
  ASSERT_EQ(getMicrobatches(plan), 8);
  const plan::RankClass &first = plan.classes(0);
  auto traffic = countTraffic(plan, first, first.members(0), 8);
  int64_t bytes = streamBytes(plan);
  // One forward send and one backward receive for every microbatch.
  Traffic send = traffic[{"send", "pipeline"}];
  EXPECT_EQ(send.calls, 8);
  EXPECT_EQ(send.payload, 8 * bytes);
  EXPECT_EQ(send.wire, 8 * bytes);
  Traffic receive = traffic[{"receive", "pipeline"}];
  EXPECT_EQ(receive.calls, 8);
  EXPECT_EQ(receive.wire, 0);
  // A ring all-reduce over two ranks sends 2 (2 - 1) / 2 of its value.
  Traffic reduce = traffic[{"all_reduce", "tensor"}];
  EXPECT_EQ(reduce.calls, 8);
  EXPECT_EQ(reduce.wire, 8 * bytes);
  // Once per step.
  EXPECT_EQ((traffic[{"all_reduce", "data"}].calls), 1);
  EXPECT_EQ((traffic[{"all_reduce", "tied"}].calls), 1);
}

TEST(Traffic, SendsNothingOverOneRank) {
  plan::Plan plan = test::toyPlan({.microbatches = 2});
  const plan::RankClass &only = plan.classes(0);
  for (const auto &[key, entry] : countTraffic(plan, only, only.members(0), 2))
    EXPECT_EQ(entry.wire, 0) << key.first << " on " << key.second;
}

TEST(Traffic, DoesNotCountEvaluation) {
  plan::Plan plan = test::toyPlan({.tp = 2, .microbatches = 3});
  const plan::RankClass &only = plan.classes(0);
  auto traffic = countTraffic(plan, only, only.members(0), 3);
  EXPECT_EQ((traffic[{"all_reduce", "tensor"}].calls), 3);
}

TEST(Traffic, AddsUpTheWorkOfAStep) {
  plan::Plan plan = test::toyPlan({.microbatches = 5});
  test::instructionOf(plan, 0, "forward", 1)->set_flops(100);
  test::instructionOf(plan, 0, "update", 0)->set_flops(7);
  test::instructionOf(plan, 0, "evaluate", 0)->set_flops(1000);
  const plan::RankClass &only = plan.classes(0);
  EXPECT_EQ(countFlops(only, only.members(0), 5), 5 * 100 + 7);
}

TEST(ArenaUse, SumsToTheArena) {
  plan::Plan plan = test::toyPlan({.pp = 4, .tp = 2});
  for (const plan::RankClass &rankClass : plan.classes())
    for (const plan::Member &member : rankClass.members()) {
      int64_t sum = 0;
      for (const auto &[kind, bytes] : arenaUse(rankClass, member))
        sum += bytes;
      EXPECT_EQ(sum, static_cast<int64_t>(member.arena_bytes()))
          << rankClass.name() << " stage " << member.stage();
    }
}

TEST(ArenaUse, CountsAPlaceThatBuffersShareOnce) {
  plan::RankClass rankClass;
  auto add = [&](plan::Buffer::Kind kind, uint64_t offset, uint64_t bytes) {
    plan::Buffer *buffer = rankClass.add_buffers();
    buffer->set_kind(kind);
    buffer->set_offset(offset);
    buffer->set_bytes(bytes);
    buffer->set_slots(1);
  };
  add(plan::Buffer::WEIGHT, 0, 64);
  add(plan::Buffer::WORK, 128, 64);
  add(plan::Buffer::WORK, 160, 64);
  plan::Member member;
  member.set_arena_bytes(256);
  using Use = std::vector<std::pair<std::string, int64_t>>;
  EXPECT_EQ(arenaUse(rankClass, member),
            (Use{{"weight", 64}, {"work", 96}, {"unused", 96}}));
}

TEST(ArenaUse, CountsEverySlotOfTheMember) {
  plan::RankClass rankClass;
  plan::Buffer *buffer = rankClass.add_buffers();
  buffer->set_kind(plan::Buffer::STASH);
  buffer->set_bytes(100);
  buffer->set_slot_stride(128);
  plan::Member member;
  member.set_slots(3);
  member.set_arena_bytes(384);
  using Use = std::vector<std::pair<std::string, int64_t>>;
  EXPECT_EQ(arenaUse(rankClass, member), (Use{{"stash", 300}, {"unused", 84}}));
}
