// What a step enqueues for small classes, without a GPU.
#include "runtime/device/cuda/StepPlan.h"

#include "runtime/device/cuda/Place.h"
#include "test/runtime/exec/PlanText.h"

#include <gtest/gtest.h>

namespace orrery::runtime::cuda {
namespace {

using Kind = StepAction::Kind;

// A stage between two others: x comes in, y goes out; the sum of gradients runs
// beside the computation, in the last run only.
constexpr const char *kMiddle = R"(
  mesh { axes { name: "pp" size: 3 } }
  communicators { name: "pp" axes: "pp" }
  classes {
    name: "middle"
    members { stage: 0 slots: 2 warmup: 1 arena_bytes: 8192 }
    members { stage: 1 slots: 2 warmup: 1 arena_bytes: 8192 }
    members { stage: 2 slots: 2 warmup: 1 arena_bytes: 8192 }
    buffers { name: "x" kind: BOUNDARY offset: 0 bytes: 256 slot_stride: 256
              type: F32 shape: 64 }
    buffers { name: "y" kind: BOUNDARY offset: 512 bytes: 256 slot_stride: 256
              type: F32 shape: 64 }
    buffers { name: "g" kind: GRADIENT offset: 1024 bytes: 256 slots: 1
              type: F32 shape: 64 }
    buffers { name: "lr" kind: SCALAR offset: 1280 bytes: 4 slots: 1
              type: F32 shape: 1 }
    buffers { name: "grad_norm" kind: SCALAR offset: 1536 bytes: 4 slots: 1
              type: F32 shape: 1 }
    buffers { name: "tokens" kind: INPUT offset: 2048 bytes: 256
              slot_stride: 256 type: I32 shape: [64, 1] }
    programs { name: "forward"
      instructions { receive { delta: -1 view: V(0, 64) } }
      instructions { copy { in: V(0, 64) out: V(1, 64) } }
      instructions { embedding { table: M(2, 1, 64)
        ids { buffer: 5 shape: [1] strides: [1] type: I32 }
        out: M(1, 1, 64) } }
      instructions { send { delta: 1 view: V(1, 64) tag: 7 } }
      instructions { column_sum { in: M(1, 1, 64) out: V(2, 64)
                                  accumulate: true } }
      instructions { stream: 1 last_run_only: true
        collective { in: V(2, 64) out: V(2, 64) } } }
    train { phases { count: ALL programs: "forward" } }
    evaluate { phases { count: ALL programs: "forward" } }
  }
)";

// "compute:2", "setup:zero": where and what.
std::string textOf(const StepAction &action, const Lanes &lanes) {
  const char *kinds[] = {"keys", "scalars", "inputs", "zero", "", "read"};
  std::string text = lanes.names()[static_cast<size_t>(action.lane)] + ":";
  text += action.kind == Kind::Instruction
              ? std::to_string(action.instruction)
              : kinds[static_cast<int>(action.kind)];
  return text + "/" + std::to_string(action.microbatch);
}

struct Listed {
  std::vector<std::string> order;
  std::map<std::string, std::set<std::string>> waits;
};

Listed list(const plan::Plan &plan, bool train, int64_t microbatches) {
  auto rank = RankPlan::create(plan, 1);
  EXPECT_TRUE(rank.ok());
  auto lanes = Lanes::create(*rank);
  EXPECT_TRUE(lanes.ok()) << lanes.status();
  const StepPlan step = planStep(*rank, *lanes, train, microbatches);
  Listed listed;
  for (const StepAction &action : step.actions) {
    const std::string text = textOf(action, *lanes);
    listed.order.push_back(text);
    for (uint32_t awaited : step.waitsOf(action)) {
      EXPECT_GE(step.actions[awaited].event, 0);
      listed.waits[text].insert(textOf(step.actions[awaited], *lanes));
    }
  }
  return listed;
}

TEST(StepPlan, ListsAStepInOrderWithReceivesPostedAhead) {
  const Listed step = list(planFromText(kMiddle), true, 2);
  EXPECT_EQ(
      step.order,
      (std::vector<std::string>{
          "setup:keys/0", "setup:scalars/0", "receive from rank 0:0/0",
          "receive from rank 0:0/1", "setup:inputs/0", "setup:zero/0",
          "compute:1/0", "compute:2/0", "send to rank 2:3/0", "compute:4/0",
          "setup:inputs/1", "compute:1/1", "compute:2/1", "send to rank 2:3/1",
          "compute:4/1", "stream 1:5/1", "setup:read/0"}));
}

// A product that overwrites the upper half of the gradient waits for no clear
// of the lower one; where all is overwritten nothing is cleared.
TEST(StepPlan, ClearsWhatNoProductOverwrites) {
  plan::Plan plan = planFromText(kMiddle);
  auto overwrite = [&](uint64_t offset) {
    plan::Instruction &instruction =
        *plan.mutable_classes(0)->mutable_programs(0)->add_instructions();
    plan::Gemm &gemm = *instruction.mutable_gemm();
    gemm.mutable_c()->set_buffer(2);
    gemm.mutable_c()->set_offset(offset);
    gemm.mutable_c()->add_shape(32);
    gemm.mutable_c()->add_strides(1);
    gemm.mutable_c()->set_type(plan::F32);
    *gemm.mutable_a() = *gemm.mutable_b() = gemm.c();
    gemm.mutable_a()->set_buffer(0);
    gemm.mutable_b()->set_buffer(0);
    gemm.set_beta(1);
    gemm.set_first_run_overwrites(true);
  };
  plan.mutable_classes(0)->mutable_programs(0)->clear_instructions();
  overwrite(128);
  Listed step = list(plan, true, 2);
  EXPECT_EQ(step.order, (std::vector<std::string>{
                            "setup:keys/0", "setup:scalars/0", "setup:zero/0",
                            "compute:0/0", "compute:0/1", "setup:read/0"}));
  EXPECT_EQ(step.waits["compute:0/0"], std::set<std::string>{});
  overwrite(0);
  step = list(plan, true, 1);
  EXPECT_EQ(step.order, (std::vector<std::string>{
                            "setup:keys/0", "setup:scalars/0", "compute:0/0",
                            "compute:1/0", "setup:read/0"}));
}

TEST(StepPlan, WaitsForProducersAndForReadersOfAFreeSlot) {
  Listed step = list(planFromText(kMiddle), true, 3);
  using Set = std::set<std::string>;
  EXPECT_EQ(step.waits["compute:1/0"], Set{"receive from rank 0:0/0"});
  // The table is the gradient here: cleared behind the inputs.
  EXPECT_EQ(step.waits["compute:2/0"], Set{"setup:zero/0"});
  EXPECT_EQ(step.waits["send to rank 2:3/0"], Set{"compute:2/0"});
  EXPECT_EQ(step.waits["compute:4/0"], Set{});
  EXPECT_EQ(step.waits["compute:2/1"], Set{"setup:inputs/1"});
  // Two slots: the third microbatch reuses the first one's.
  EXPECT_EQ(step.waits["receive from rank 0:0/2"], Set{"compute:1/0"});
  EXPECT_EQ(step.waits["setup:inputs/2"], Set{"compute:2/0"});
  EXPECT_EQ(step.waits["compute:1/2"],
            (Set{"receive from rank 0:0/2", "send to rank 2:3/0"}));
  EXPECT_EQ(step.waits["stream 1:5/2"], Set{"compute:4/2"});
  EXPECT_EQ(step.waits.count("stream 1:5/1"), 0u);
}

// Halves of the rows of two parts come in on stream 1, each a [2, 16] with gaps
// of 16 elements, and are read on stream 0; then the whole is.
TEST(StepPlan, PiecesWithGapsHoldUpTheirReadersOnly) {
  plan::Plan plan = planFromText(kMiddle);
  plan::Program &program = *plan.mutable_classes(0)->mutable_programs(0);
  program.clear_instructions();
  auto half = [](uint32_t buffer, uint64_t which) {
    plan::View view;
    view.set_buffer(buffer);
    view.set_offset(which * 64);
    view.set_type(plan::F32);
    for (int64_t size : {2, 16})
      view.add_shape(size);
    for (int64_t stride : {32, 1})
      view.add_strides(stride);
    return view;
  };
  for (bool reads : {false, true})
    for (uint64_t which : {0, 1}) {
      plan::Instruction &instruction = *program.add_instructions();
      instruction.set_stream(reads ? 0 : 1);
      *instruction.mutable_copy()->mutable_in() = half(reads ? 1 : 0, which);
      *instruction.mutable_copy()->mutable_out() = half(reads ? 2 : 1, which);
    }
  plan::Copy &whole = *program.add_instructions()->mutable_copy();
  *whole.mutable_in() = half(1, 0);
  whole.mutable_in()->set_shape(1, 32);
  *whole.mutable_out() = whole.in();
  whole.mutable_out()->set_buffer(0);
  Listed step = list(plan, false, 1);
  using Set = std::set<std::string>;
  EXPECT_EQ(step.waits["stream 1:0/0"], Set{});
  EXPECT_EQ(step.waits["stream 1:1/0"], Set{});
  EXPECT_EQ(step.waits["compute:2/0"], Set{"stream 1:0/0"});
  EXPECT_EQ(step.waits["compute:3/0"], Set{"stream 1:1/0"});
  EXPECT_EQ(step.waits["compute:4/0"], Set{}); // has waited for both
}

// Streams 1 and 2 write the rows that stream 0 adds to g and to y, and stream 1
// reads y.
TEST(StepPlan, ColumnSumsOfOneLaunchAreOneActionWithTheWaitsOfAll) {
  plan::Plan plan = planFromText(kMiddle);
  plan::Program &program = *plan.mutable_classes(0)->mutable_programs(0);
  program.clear_instructions();
  auto view = [](uint32_t buffer, uint64_t offset, int64_t rows) {
    plan::View view;
    view.set_buffer(buffer);
    view.set_offset(offset);
    view.set_type(plan::F32);
    if (rows > 0) {
      view.add_shape(rows);
      view.add_strides(16);
    }
    view.add_shape(16);
    view.add_strides(1);
    return view;
  };
  auto copy = [&](uint32_t stream, const plan::View &in,
                  const plan::View &out) {
    plan::Instruction &instruction = *program.add_instructions();
    instruction.set_stream(stream);
    *instruction.mutable_copy()->mutable_in() = in;
    *instruction.mutable_copy()->mutable_out() = out;
  };
  auto sum = [&](const plan::View &in, const plan::View &out) {
    plan::ColumnSum &op = *program.add_instructions()->mutable_column_sum();
    *op.mutable_in() = in;
    *op.mutable_out() = out;
  };
  copy(1, view(5, 0, 2), view(0, 0, 2));
  copy(2, view(5, 0, 2), view(0, 128, 2));
  sum(view(0, 0, 2), view(2, 0, 0));
  sum(view(0, 128, 2), view(1, 0, 0));
  copy(1, view(1, 0, 0), view(1, 64, 0));
  Listed step = list(plan, false, 1);
  EXPECT_EQ(step.order, (std::vector<std::string>{
                            "setup:keys/0", "setup:scalars/0", "setup:inputs/0",
                            "stream 1:0/0", "stream 2:1/0", "compute:2/0",
                            "stream 1:4/0", "setup:read/0"}));
  using Set = std::set<std::string>;
  EXPECT_EQ(step.waits["compute:2/0"], (Set{"stream 1:0/0", "stream 2:1/0"}));
  EXPECT_EQ(step.waits["stream 1:4/0"], Set{"compute:2/0"});
}

TEST(StepPlan, CallsOfACommunicatorFollowEachOtherOnAllStreams) {
  plan::Plan plan = planFromText(kMiddle);
  plan.add_communicators()->set_name("other");
  plan::Program *program = plan.mutable_classes(0)->mutable_programs(0);
  program->clear_instructions();
  auto add = [&](uint32_t stream, uint32_t communicator, uint32_t buffer) {
    plan::Instruction *instruction = program->add_instructions();
    instruction->set_stream(stream);
    plan::Collective *op = instruction->mutable_collective();
    op->set_communicator(communicator);
    for (plan::View *view : {op->mutable_in(), op->mutable_out()}) {
      view->set_buffer(buffer);
      view->set_type(plan::F32);
      view->add_shape(64);
      view->add_strides(1);
    }
  };
  add(1, 0, 0); // x
  add(2, 0, 1); // y
  add(3, 1, 2); // g
  Listed step = list(plan, false, 1);
  using Set = std::set<std::string>;
  EXPECT_EQ(step.waits["stream 2:1/0"], Set{"stream 1:0/0"});
  EXPECT_EQ(step.waits["stream 3:2/0"], Set{});
}

TEST(StepPlan, EvaluationLeavesGradientsAlone) {
  const Listed step = list(planFromText(kMiddle), false, 1);
  for (const std::string &action : step.order)
    EXPECT_NE(action, "setup:zero/0");
}

TEST(StepPlan, KeysOfRandomStreamsAreCopiedBeforeTheyAreRead) {
  plan::Plan plan = planFromText(kMiddle);
  plan::Launch *launch = plan.mutable_classes(0)
                             ->mutable_programs(0)
                             ->add_instructions()
                             ->mutable_launch();
  launch->add_scalars()->mutable_stream()->set_name("dropout");
  Listed step = list(plan, true, 1);
  EXPECT_EQ(step.waits["compute:6/0"], std::set<std::string>{});
  // An earlier wait for the inputs covers it; alone it is awaited.
  plan.mutable_classes(0)
      ->mutable_programs(0)
      ->mutable_instructions()
      ->SwapElements(0, 6);
  step = list(plan, true, 1);
  EXPECT_EQ(step.waits["compute:0/0"], std::set<std::string>{"setup:keys/0"});
}

TEST(Lanes, RefusesAStreamNumberOutOfRange) {
  plan::Plan plan = planFromText(kMiddle);
  plan.mutable_classes(0)
      ->mutable_programs(0)
      ->mutable_instructions(1)
      ->set_stream(4000);
  auto rank = RankPlan::create(plan, 1);
  ASSERT_TRUE(rank.ok());
  EXPECT_EQ(Lanes::create(*rank).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(Lanes, NumbersChannelsAlikeOnBothSides) {
  plan::Plan plan = planFromText(kMiddle);
  // The receive must have the send's tag to be of its channel.
  plan.mutable_classes(0)
      ->mutable_programs(0)
      ->mutable_instructions(0)
      ->mutable_receive()
      ->set_tag(7);
  auto sender = RankPlan::create(plan, 1);
  auto wrong = RankPlan::create(plan, 2);
  ASSERT_TRUE(sender.ok() && wrong.ok());
  // Rank 2 sends outside the mesh: this class is for the middle alone.
  EXPECT_FALSE(Lanes::create(*wrong).ok());
  auto lanes = Lanes::create(*sender);
  ASSERT_TRUE(lanes.ok());
  EXPECT_EQ(lanes->channels(),
            (std::vector<PeerChannelId>{{0, 1, 0}, {1, 2, 0}}));
}

TEST(Place, FollowsSlotsAndStridesOfEitherSign) {
  EXPECT_EQ((Place{100, 64, 3}.at(4)), 164);
  plan::View view;
  view.set_type(plan::F32);
  for (int64_t size : {2, 3})
    view.add_shape(size);
  for (int64_t stride : {8, 2})
    view.add_strides(stride);
  EXPECT_EQ(extentOf(view).begin, 0);
  EXPECT_EQ(extentOf(view).end, 52);
  view.set_strides(1, -2);
  EXPECT_EQ(extentOf(view).begin, -16);
  EXPECT_EQ(extentOf(view).end, 36);
  view.set_shape(0, 0);
  EXPECT_EQ(extentOf(view).end, 0);
}

TEST(Place, GapsOfTheOutermostDimensionAreNotTouched) {
  auto extents = [](std::vector<int64_t> shape, std::vector<int64_t> strides) {
    plan::View view;
    view.set_type(plan::F32);
    view.mutable_shape()->Assign(shape.begin(), shape.end());
    view.mutable_strides()->Assign(strides.begin(), strides.end());
    std::vector<std::pair<int64_t, int64_t>> result;
    for (const ByteExtent &extent : extentsOf(view))
      result.emplace_back(extent.begin, extent.end);
    return result;
  };
  using Extents = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(extents({2, 3}, {8, 1}), (Extents{{0, 12}, {32, 44}}));
  EXPECT_EQ(extents({1, 2, 2, 3}, {99, 20, 5, 1}),
            (Extents{{0, 32}, {80, 112}}));
  EXPECT_EQ(extents({2, 3}, {3, 1}), (Extents{{0, 24}})); // no gap
  EXPECT_EQ(extents({2, 3}, {1, 2}), (Extents{{0, 24}})); // interleaved
  EXPECT_EQ(extents({2, 3}, {8, -1}), (Extents{{-8, 36}}));
  EXPECT_EQ(extents({65, 1}, {2, 1}), (Extents{{0, 516}})); // too many
  EXPECT_EQ(extents({}, {}), (Extents{{0, 4}}));
  EXPECT_EQ(extents({0, 3}, {8, 1}), (Extents{{0, 0}}));
}

} // namespace
} // namespace orrery::runtime::cuda
