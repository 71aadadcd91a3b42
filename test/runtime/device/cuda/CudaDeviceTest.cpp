// GPUs against CPUs on hand-written plans: the same weights and scalars, from
// graphs and from timed steps. Skipped where GPUs are missing.
#include "runtime/device/cuda/CudaDevice.h"

#include "test/runtime/device/cuda/CudaPlans.h"
#include "test/runtime/device/cuda/PlanJob.h"
#include "test/runtime/exec/PlanText.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

void expectGpusLikeCpus(const char *text, int ranks,
                        const std::vector<int64_t> &microbatches) {
  const plan::Plan plan = planFromText(text);
  PlanJob cpus(plan);
  absl::Status status = cpus.run(ranks, microbatches, false);
  ASSERT_TRUE(status.ok()) << status;
  if (gpuCount() < ranks)
    GTEST_SKIP() << "no CUDA device: " << ranks << " wanted, " << gpuCount()
                 << " here";
  for (bool traced : {false, true}) {
    PlanJob gpus(forGpus(plan));
    status = gpus.run(ranks, microbatches, traced);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(gpus.ends, cpus.ends) << (traced ? "timed" : "graphs");
    EXPECT_EQ(gpus.events > 0, traced);
  }
}

TEST(CudaDevice, KeepsStreamsInOrderAndFeedsEveryMicrobatch) {
  expectGpusLikeCpus(kStreamsPlan, 1, {3, 5, 5, 1, 3});
}

TEST(CudaDevice, RunsEveryKindOfKernel) {
  expectGpusLikeCpus(kKernelsPlan, 1, {2, 2});
  expectGpusLikeCpus(kSumsPlan, 1, {2, 2});
}

TEST(CudaDevice, MultipliesMatrices) {
  expectGpusLikeCpus(kProductsPlan, 1, {3, 1});
}

TEST(CudaDevice, PassesMicrobatchesThroughAPipeline) {
  expectGpusLikeCpus(kPipelinePlan, 2, {1, 5, 8});
}

TEST(CudaDevice, ExchangesOverTheAxesOfAGrid) {
  expectGpusLikeCpus(kGridPlan, 4, {1, 1});
}

TEST(CudaDevice, GivesTheSameBitsTwice) {
  if (gpuCount() < 1)
    GTEST_SKIP() << "no CUDA device";
  PlanJob first(forGpus(planFromText(kStreamsPlan)));
  PlanJob second(forGpus(planFromText(kStreamsPlan)));
  ASSERT_TRUE(first.run(1, {4, 4}, false).ok());
  ASSERT_TRUE(second.run(1, {4, 4}, false).ok());
  EXPECT_EQ(first.ends, second.ends);
}

TEST(CudaDevice, SaysWhereTheMemoryWentWhenThePlanDoesNotFit) {
  if (gpuCount() < 1)
    GTEST_SKIP() << "no CUDA device";
  plan::Plan plan = forGpus(planFromText(kStreamsPlan));
  plan.mutable_classes(0)->mutable_members(0)->set_arena_bytes(uint64_t(1)
                                                               << 42);
  absl::Status status = PlanJob(plan).run(1, {1}, false);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  for (const char *part : {"arena 4096.00 GiB", "context", "are free"})
    EXPECT_NE(status.message().find(part), std::string::npos) << status;
}

TEST(CudaDevice, RefusesAPlanForAnotherMachineWithoutAGpu) {
  if (gpuCount() > 0)
    GTEST_SKIP() << "there is a CUDA device";
  absl::Status status =
      PlanJob(forGpus(planFromText(kStreamsPlan))).run(1, {1}, false);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

} // namespace
} // namespace orrery::runtime
