// Hand-written plans on several ranks in threads.
#include "runtime/exec/RankExecutor.h"

#include "runtime/comm/local/LocalWorld.h"
#include "runtime/device/cpu/KernelModule.h"
#include "runtime/plan/PlanCheck.h"
#include "runtime/plan/RandomKey.h"
#include "test/runtime/exec/PlanText.h"

#include <cstring>
#include <gtest/gtest.h>
#include <mutex>

namespace orrery::runtime {
namespace {

// Two stages. Forward on stage 0: x = 100 * microbatch + row, sent; stage 1
// receives it and adds its sum to lm_loss by a product with ones. Backward on
// stage 1 sends 2 x; stage 0 adds it to the gradient.
constexpr const char *kPipeline = R"(
  mesh { axes { name: "pp" size: 2 } }
  communicators { name: "pp" axes: "pp" }
  classes {
    name: "first"
    members { stage: 0 warmup: 1 slots: 2 arena_bytes: 4096 }
    buffers { name: "x" kind: BOUNDARY offset: 0 bytes: 256 slot_stride: 256
              slots: 2 type: F32 shape: 64 }
    buffers { name: "dx" kind: BOUNDARY offset: 512 bytes: 256
              slot_stride: 256 slots: 2 type: F32 shape: 64 }
    buffers { name: "g" kind: GRADIENT offset: 1024 bytes: 256 slots: 1
              type: F32 shape: 64 }
    programs { name: "forward"
      instructions { launch { kernel: 0 buffers: V(0, 64)
        scalars { index { per_microbatch: 100 } } rows: 64 } }
      instructions { send { delta: 1 view: V(0, 64) } } }
    programs { name: "backward"
      instructions { receive { delta: 1 view: V(1, 64) tag: 1 } }
      instructions { launch { kernel: 1 buffers: V(1, 64) buffers: V(2, 64)
        scalars { index { constant: 1 } } rows: 64 } } }
    train { phases { count: FIRST programs: "forward" }
            phases { count: REST programs: "forward" programs: "backward" }
            phases { count: FIRST programs: "backward" } }
  }
  classes {
    name: "last"
    members { stage: 1 warmup: 0 slots: 1 arena_bytes: 4096 }
    buffers { name: "x" kind: BOUNDARY offset: 0 bytes: 256 slots: 1 type: F32
              shape: 64 }
    buffers { name: "dx" kind: BOUNDARY offset: 512 bytes: 256 slots: 1
              type: F32 shape: 64 }
    buffers { name: "lm_loss" kind: SCALAR offset: 1024 bytes: 4 slots: 1
              type: F32 shape: 1 }
    buffers { name: "ones" kind: WORK offset: 1536 bytes: 256 slots: 1
              type: F32 shape: 64 }
    programs { name: "forward"
      instructions { receive { delta: -1 view: V(0, 64) } }
      instructions { fill { out: V(3, 64) value: 1 } }
      instructions { gemm { a: M(3, 1, 64) b: M(0, 64, 1) c: M(2, 1, 1)
        m: 1 n: 1 k: 64 lda: 64 ldb: 1 ldc: 1 batch: 1 alpha: 1 beta: 1 } } }
    programs { name: "backward"
      instructions { fill { out: V(1, 64) value: 0 } }
      instructions { launch { kernel: 1 buffers: V(0, 64) buffers: V(1, 64)
        scalars { index { constant: 2 } } rows: 64 } }
      instructions { send { delta: -1 view: V(1, 64) tag: 1 } } }
    train { phases { count: ALL programs: "forward" programs: "backward" } }
  }
)";

RunOptions threads(int count) {
  RunOptions options;
  options.threads = count;
  return options;
}

absl::Status noInput(int64_t, BatchView) { return absl::OkStatus(); }

TEST(RankExecutor, PassesMicrobatchesThroughAPipeline) {
  plan::Plan plan = planFromText(kPipeline);
  for (int64_t m : {1, 2, 5, 16}) {
    absl::Status status =
        runLocalRanks(2, [&](CommunicatorFactory &f) -> absl::Status {
          auto executor = RankExecutor::create(plan, f, threads(2));
          if (!executor.ok())
            return executor.status();
          StepSettings settings;
          settings.microbatches = m;
          for (int step = 1; step <= 2; ++step) {
            auto metrics = (*executor)->trainStep(settings, noInput);
            if (!metrics.ok())
              return metrics.status();
            // sum over microbatches and rows, divided by m.
            if (f.rank() == 1) {
              EXPECT_EQ(metrics->lmLoss, 63 * 32 + 64 * 100 * (m - 1) / 2.0);
            }
            const float *gradient = reinterpret_cast<const float *>(
                *(*executor)->device().hostArena() + 1024);
            for (int64_t row = 0; row < 64 && f.rank() == 0; ++row)
              EXPECT_EQ(gradient[row], 2 * (m * row + 100 * m * (m - 1) / 2));
          }
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST(RankExecutor, TestPlanPassesTheSchedulesCheck) {
  plan::Plan plan = planFromText(kPipeline);
  auto mesh = Mesh::create(plan.mesh());
  ASSERT_TRUE(mesh.ok());
  for (int64_t m : {1, 5})
    EXPECT_TRUE(checkSchedules(plan, *mesh, m).ok())
        << checkSchedules(plan, *mesh, m);
}

// Four ranks, dp 2 × tp 2: coordinates enter through indices and slices.
constexpr const char *kGrid = R"(
  mesh { axes { name: "pp" size: 1 } axes { name: "dp" size: 2 }
         axes { name: "tp" size: 2 } }
  communicators { name: "dp" axes: "dp" }
  communicators { name: "tp" axes: "tp" }
  classes {
    name: "all"
    members { stage: 0 slots: 1 arena_bytes: 4096 }
    buffers { kind: WORK offset: 0 bytes: 32 slots: 1 type: F32 shape: 8 }
    buffers { kind: WORK offset: 64 bytes: 64 slots: 1 type: F32 shape: 16 }
    buffers { kind: WORK offset: 128 bytes: 32 slots: 1 type: F32 shape: 8 }
    buffers { kind: WORK offset: 192 bytes: 32 slots: 1 type: F32 shape: 8 }
    programs { name: "forward"
      instructions { launch { kernel: 0 buffers: V(0, 8) scalars { index {
        constant: 5 terms { axis: "dp" stride: 1000 }
        terms { axis: "tp" stride: 10 } } } rows: 8 } }
      instructions { collective { op: ALL_GATHER communicator: 1
        in: M(0, 2, 4) out: M(1, 2, 8) dimension: 1 } }
      instructions { collective { op: ALL_SLICE communicator: 1
        in: M(1, 2, 8) out: M(2, 2, 4) dimension: 1 } }
      instructions { collective { op: ALL_REDUCE communicator: 0
        in: M(2, 2, 4) out: M(3, 2, 4) } } }
    train { phases { count: ALL programs: "forward" } }
  }
)";

TEST(RankExecutor, SlicesWhatItGathersAndReducesOverTheOtherAxis) {
  plan::Plan plan = planFromText(kGrid);
  absl::Status status =
      runLocalRanks(4, [&](CommunicatorFactory &f) -> absl::Status {
        auto executor = RankExecutor::create(plan, f, threads(1));
        if (!executor.ok())
          return executor.status();
        auto metrics = (*executor)->trainStep({}, noInput);
        if (!metrics.ok())
          return metrics.status();
        const float *gathered = reinterpret_cast<const float *>(
            *(*executor)->device().hostArena() + 64);
        const float *sum = reinterpret_cast<const float *>(
            *(*executor)->device().hostArena() + 192);
        const int dp = f.rank() / 2, tp = f.rank() % 2;
        for (int i = 0; i < 8; ++i) {
          EXPECT_EQ(gathered[(i / 4) * 8 + i % 4], 5 + 1000 * dp + i);
          EXPECT_EQ(gathered[(i / 4) * 8 + 4 + i % 4], 15 + 1000 * dp + i);
          EXPECT_EQ(sum[i], 2 * (5 + 10 * tp + i) + 1000);
        }
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
}

constexpr const char *kInputsAndKeys = R"(
  job { train { seed: 7 } }
  mesh { axes { name: "pp" size: 1 } }
  classes {
    name: "all"
    members { stage: 0 slots: 2 first_layer: 3 arena_bytes: 4096 }
    buffers { name: "tokens" kind: INPUT offset: 0 bytes: 24 slot_stride: 64
              type: I32 shape: [3, 2] }
    buffers { name: "g" kind: GRADIENT offset: 128 bytes: 24 slots: 1 type: F32
              shape: 6 }
    buffers { kind: WORK offset: 192 bytes: 24 slots: 1 type: F32 shape: 6 }
    buffers { kind: WORK offset: 256 bytes: 4 slots: 1 type: F32 shape: 1 }
    programs { name: "forward"
      instructions { launch { kernel: 3
        buffers { buffer: 0 shape: 6 strides: 1 type: I32 } buffers: V(2, 6)
        rows: 6 } }
      instructions { launch { kernel: 1 buffers: V(2, 6) buffers: V(1, 6)
        scalars { index { constant: 1 } } rows: 6 } }
      instructions { launch { kernel: 2 buffers: V(3, 1)
        scalars { stream { name: "layers.{layer}.dropout" layer: 1 } }
        rows: 1 } } }
    train { phases { count: ALL programs: "forward" } }
  }
)";

TEST(RankExecutor, FeedsEachMicrobatchOnceAndRenewsKeysEachStep) {
  plan::Plan plan = planFromText(kInputsAndKeys);
  absl::Status status = runLocalRanks(1, [&](CommunicatorFactory &f) {
    auto executor = RankExecutor::create(plan, f, threads(1));
    EXPECT_TRUE(executor.ok()) << executor.status();
    EXPECT_TRUE((*executor)->readsData());
    for (int64_t step : {1, 2}) {
      std::vector<int64_t> read;
      StepSettings settings;
      settings.step = step;
      settings.microbatches = 3;
      auto metrics = (*executor)->trainStep(
          settings, [&](int64_t microbatch, BatchView batch) {
            read.push_back(microbatch);
            for (size_t i = 0; i < 6; ++i)
              batch.tokens[i] = static_cast<int32_t>(10 * microbatch + i);
            return absl::OkStatus();
          });
      EXPECT_TRUE(metrics.ok()) << metrics.status();
      EXPECT_EQ(read, (std::vector<int64_t>{0, 1, 2}));
      const float *sum = reinterpret_cast<const float *>(
          *(*executor)->device().hostArena() + 128);
      for (int i = 0; i < 6; ++i)
        EXPECT_EQ(sum[i], 30 + 3 * i);
      float key;
      std::memcpy(&key, *(*executor)->device().hostArena() + 256, 4);
      EXPECT_EQ(key, static_cast<float>(randomKey(7, "layers.4.dropout", step) &
                                        0xfffff));
    }
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(RankExecutor, NamesTheInstructionWithoutAForm) {
  plan::Plan plan = planFromText(kGrid);
  plan::View *in = plan.mutable_classes(0)
                       ->mutable_programs(0)
                       ->mutable_instructions(3)
                       ->mutable_collective()
                       ->mutable_in();
  in->set_strides(0, 5);
  absl::Status status = runLocalRanks(4, [&](CommunicatorFactory &f) {
    return RankExecutor::create(plan, f, threads(1)).status();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(status.message().find("class 'all', program 'forward', "
                                  "instruction 3 (collective"),
            std::string::npos)
      << status;
}

TEST(RankExecutor, RefusesProductsWithEpiloguesOnCpus) {
  plan::Plan plan = planFromText(kPipeline);
  plan::Gemm *gemm = plan.mutable_classes(1)
                         ->mutable_programs(0)
                         ->mutable_instructions(2)
                         ->mutable_gemm();
  gemm->set_epilogue(plan::Gemm::BIAS);
  absl::Status status = runLocalRanks(2, [&](CommunicatorFactory &f) {
    return RankExecutor::create(plan, f, threads(1)).status();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  for (const char *words : {"class 'last', program 'forward', instruction 2 "
                            "(gemm",
                            "epilogue BIAS", "--target=cpu"})
    EXPECT_NE(status.message().find(words), std::string::npos) << status;
}

TEST(RankExecutor, RefusesAnObjectWithoutTheKernel) {
  plan::Plan plan = planFromText(kGrid);
  plan.mutable_kernels(0)->set_symbol("absent");
  absl::Status status = runLocalRanks(1, [&](CommunicatorFactory &f) {
    return KernelModule::load(plan).status();
  });
  EXPECT_EQ(status.message(), "the plan's object has no kernel 'absent'");
}

} // namespace
} // namespace orrery::runtime
