// Ranges of small classes.
#include "runtime/device/ArenaRanges.h"

#include "test/runtime/exec/PlanText.h"

#include <gtest/gtest.h>

#include <utility>

namespace orrery::runtime {
namespace {

using Bounds = std::vector<std::pair<uint64_t, uint64_t>>;

Bounds boundsOf(const std::vector<ArenaRange> &ranges) {
  Bounds bounds;
  for (const ArenaRange &range : ranges)
    bounds.emplace_back(range.begin, range.end);
  return bounds;
}

constexpr const char *kClass = R"(
  mesh { axes { name: "pp" size: 1 } }
  classes {
    name: "only"
    members { slots: 1 arena_bytes: 8192 }
    buffers { name: "g" kind: GRADIENT offset: 1024 bytes: 256 slots: 1
              type: F32 shape: 64 }
    buffers { name: "h" kind: GRADIENT offset: 2048 bytes: 128 slots: 1
              type: F32 shape: 32 }
    buffers { name: "lr" kind: SCALAR offset: 3072 bytes: 4 slots: 1
              type: F32 shape: 1 }
    buffers { name: "grad_norm" kind: SCALAR offset: 3328 bytes: 4 slots: 1
              type: F32 shape: 1 }
    programs { name: "backward" }
  }
)";

class ArenaRanges : public ::testing::Test {
protected:
  ArenaRanges() : plan(planFromText(kClass)), rank(RankPlan::create(plan, 0)) {}
  void SetUp() override { ASSERT_TRUE(rank.ok()) << rank.status(); }

  plan::Plan plan;
  absl::StatusOr<RankPlan> rank;
};

TEST_F(ArenaRanges, MergeNeighboursAndStopAtOtherBuffers) {
  EXPECT_EQ(boundsOf(rangesOf(*rank, plan::Buffer::SCALAR)),
            (Bounds{{3072, 3332}}));
  plan::Buffer *work = plan.mutable_classes(0)->add_buffers();
  work->set_kind(plan::Buffer::WORK);
  work->set_offset(3136);
  work->set_bytes(64);
  work->set_slots(1);
  EXPECT_EQ(boundsOf(rangesOf(*rank, plan::Buffer::SCALAR)),
            (Bounds{{3072, 3076}, {3328, 3332}}));
}

TEST_F(ArenaRanges, LeaveOutWhatProductsOverwrite) {
  auto overwrite = [&](uint32_t buffer, uint64_t offset, int64_t elements) {
    plan::Gemm &gemm = *plan.mutable_classes(0)
                            ->mutable_programs(0)
                            ->add_instructions()
                            ->mutable_gemm();
    gemm.mutable_c()->set_buffer(buffer);
    gemm.mutable_c()->set_offset(offset);
    gemm.mutable_c()->add_shape(elements);
    gemm.mutable_c()->set_type(plan::F32);
    gemm.set_first_run_overwrites(true);
  };
  EXPECT_EQ(boundsOf(rangesToClear(*rank)),
            (Bounds{{1024, 1280}, {2048, 2176}}));
  overwrite(1, 0, 32); // all of h
  EXPECT_EQ(boundsOf(rangesToClear(*rank)), (Bounds{{1024, 1280}}));
  overwrite(0, 192, 8); // stands before one with lower addresses
  overwrite(0, 64, 16);
  EXPECT_EQ(boundsOf(rangesToClear(*rank)),
            (Bounds{{1024, 1088}, {1152, 1216}, {1248, 1280}}));
  overwrite(0, 0, 16); // the first bytes, beside another
  EXPECT_EQ(boundsOf(rangesToClear(*rank)),
            (Bounds{{1152, 1216}, {1248, 1280}}));
}

} // namespace
} // namespace orrery::runtime
