// Which column sums one launch does.
#include "runtime/device/cuda/ColumnSumRuns.h"

#include "test/runtime/exec/PlanText.h"

#include <functional>
#include <gtest/gtest.h>

namespace orrery::runtime::cuda {
namespace {

// Six sums of [4, 8] in buffer 0, 256 bytes apart, to buffer 1, 64 bytes apart.
// Buffer 2 has two slots, of which the second is where buffer 3 is.
constexpr const char *kSums = R"(
  mesh { axes { name: "pp" size: 1 } }
  classes {
    name: "all"
    members { stage: 0 slots: 2 arena_bytes: 16384 }
    buffers { kind: WORK offset: 0 bytes: 2048 slots: 1 type: F32 shape: 512 }
    buffers { kind: WORK offset: 2048 bytes: 512 slots: 1 type: F32 shape: 128 }
    buffers { kind: WORK offset: 4096 bytes: 256 slot_stride: 512 type: F32
              shape: 64 }
    buffers { kind: WORK offset: 4608 bytes: 256 slots: 1 type: F32 shape: 64 }
    programs { name: "sums" }
  }
)";

// The runs once `change` has had its way with the six instructions.
std::vector<int> runs(const std::function<void(plan::Program &)> &change =
                          [](auto &) {}) {
  plan::Plan plan = planFromText(kSums);
  plan::Program &program = *plan.mutable_classes(0)->mutable_programs(0);
  for (uint64_t i = 0; i < 6; ++i) {
    plan::ColumnSum &op = *program.add_instructions()->mutable_column_sum();
    plan::View &in = *op.mutable_in(), &out = *op.mutable_out();
    in.set_buffer(0);
    in.set_offset(256 * i);
    out.set_buffer(1);
    out.set_offset(64 * i);
    for (plan::View *view : {&in, &out})
      view->set_type(plan::F32);
    in.add_shape(4);
    in.add_strides(8);
    for (plan::View *view : {&in, &out}) {
      view->add_shape(8);
      view->add_strides(1);
    }
  }
  change(program);
  auto rank = RankPlan::create(plan, 0);
  EXPECT_TRUE(rank.ok());
  return columnSumRuns(program, *rank);
}

using Runs = std::vector<int>;

// The runs with another one of the six, the second.
Runs runsWithOther(const std::function<void(plan::Instruction &)> &change) {
  return runs([&](plan::Program &p) { change(*p.mutable_instructions(1)); });
}

TEST(ColumnSumRuns, AreOfAtMostFour) {
  EXPECT_EQ(runs(), (Runs{4, 0, 0, 0, 2, 0}));
}

TEST(ColumnSumRuns, EndWhereOneIsUnlikeTheFirst) {
  const Runs alone = {1, 1, 4, 0, 0, 0};
  using Instruction = plan::Instruction;
  auto sumOf = [](Instruction &i) { return i.mutable_column_sum(); };
  EXPECT_EQ(runsWithOther([&](Instruction &i) { i.set_stream(1); }), alone);
  EXPECT_EQ(runsWithOther([&](Instruction &i) { i.set_last_run_only(true); }),
            alone);
  EXPECT_EQ(
      runsWithOther([&](Instruction &i) { sumOf(i)->set_accumulate(true); }),
      alone);
  EXPECT_EQ(runsWithOther([&](Instruction &i) {
              sumOf(i)->mutable_in()->set_type(plan::BF16);
            }),
            alone);
  EXPECT_EQ(runsWithOther([&](Instruction &i) {
              sumOf(i)->mutable_in()->set_shape(0, 3);
            }),
            alone);
  EXPECT_EQ(runsWithOther([&](Instruction &i) {
              sumOf(i)->mutable_in()->set_shape(1, 7);
              sumOf(i)->mutable_out()->set_shape(0, 7);
            }),
            alone);
  for (int dimension : {0, 1})
    EXPECT_EQ(runsWithOther([&](Instruction &i) {
                sumOf(i)->mutable_in()->set_strides(dimension, 9);
              }),
              alone);
  EXPECT_EQ(runsWithOther([&](Instruction &i) {
              sumOf(i)->mutable_out()->set_strides(0, 2);
            }),
            alone);
  EXPECT_EQ(runsWithOther([&](Instruction &i) { i.mutable_fill(); }), alone);
}

TEST(ColumnSumRuns, DoNotAskForLayersOrLabels) {
  EXPECT_EQ(runsWithOther([](plan::Instruction &i) {
              i.set_layer(7);
              i.set_label("another");
              i.set_flops(3);
            }),
            (Runs{4, 0, 0, 0, 2, 0}));
}

TEST(ColumnSumRuns, EndWhereOneTouchesWhatAnotherWrites) {
  auto views = [](plan::Program &p, int i) {
    return p.mutable_instructions(i)->mutable_column_sum();
  };
  // The third writes what the first does, from its last byte on.
  EXPECT_EQ(runs([&](plan::Program &p) {
              views(p, 2)->mutable_out()->set_offset(28);
            }),
            (Runs{2, 0, 4, 0, 0, 0}));
  // Right behind the first's.
  EXPECT_EQ(runs([&](plan::Program &p) {
              views(p, 2)->mutable_out()->set_offset(32);
            }),
            (Runs{4, 0, 0, 0, 2, 0}));
  // The third reads what the second writes.
  EXPECT_EQ(runs([&](plan::Program &p) {
              views(p, 2)->mutable_in()->set_buffer(1);
              views(p, 2)->mutable_in()->set_offset(64);
              views(p, 2)->mutable_out()->set_offset(384);
            }),
            (Runs{2, 0, 4, 0, 0, 0}));
  // The third writes what the first reads.
  EXPECT_EQ(runs([&](plan::Program &p) {
              views(p, 2)->mutable_out()->set_buffer(0);
              views(p, 2)->mutable_out()->set_offset(96);
            }),
            (Runs{2, 0, 4, 0, 0, 0}));
  // All read the same.
  EXPECT_EQ(runs([&](plan::Program &p) {
              for (int i = 0; i < 6; ++i)
                views(p, i)->mutable_in()->set_offset(0);
            }),
            (Runs{4, 0, 0, 0, 2, 0}));
}

TEST(ColumnSumRuns, LookAtAllSlots) {
  auto out = [](plan::Program &p, int i) {
    return p.mutable_instructions(i)->mutable_column_sum()->mutable_out();
  };
  EXPECT_EQ(runs([&](plan::Program &p) {
              out(p, 0)->set_buffer(2);
              out(p, 1)->set_buffer(3);
              out(p, 1)->set_offset(0);
            }),
            (Runs{1, 4, 0, 0, 0, 1}));
  // Two of one buffer are in the same slot.
  EXPECT_EQ(runs([&](plan::Program &p) {
              out(p, 0)->set_buffer(2);
              out(p, 1)->set_buffer(2);
            }),
            (Runs{4, 0, 0, 0, 2, 0}));
}

} // namespace
} // namespace orrery::runtime::cuda
