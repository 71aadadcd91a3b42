// The device on a pretend GPU, which runs what is enqueued in any order that
// streams and events allow: graphs and timed steps give what CPUs give.
#include "runtime/device/cuda/CudaDevice.h"

#include "test/runtime/device/cuda/CudaPlans.h"
#include "test/runtime/device/cuda/FakeCuda.h"
#include "test/runtime/device/cuda/PlanJob.h"
#include "test/runtime/exec/PlanText.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

void expectAnyOrderLikeCpus(const char *text,
                            const std::vector<int64_t> &microbatches) {
  const plan::Plan plan = planFromText(text);
  PlanJob cpus(plan);
  absl::Status status = cpus.run(1, microbatches, false);
  ASSERT_TRUE(status.ok()) << status;
  for (uint32_t seed = 1; seed <= 10; ++seed)
    for (bool traced : {false, true}) {
      const int launches = fakecuda::graphLaunches();
      const int64_t choices = fakecuda::freeChoices();
      fakecuda::setSeed(seed);
      PlanJob gpu(forGpus(plan));
      status = gpu.run(1, microbatches, traced);
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_EQ(gpu.ends, cpus.ends)
          << (traced ? "timed" : "graphs") << ", seed " << seed;
      EXPECT_EQ(gpu.events > 0, traced);
      EXPECT_EQ(fakecuda::graphLaunches() > launches, !traced);
      EXPECT_GT(fakecuda::freeChoices(), choices);
      EXPECT_EQ(fakecuda::liveAllocations(), 0u);
    }
}

TEST(FakeCuda, StepsOverSeveralStreamsHaveEveryWait) {
  expectAnyOrderLikeCpus(kStreamsPlan, {3, 5, 5, 1, 3});
}

TEST(FakeCuda, StepsWithScratchMemoryHaveEveryWait) {
  expectAnyOrderLikeCpus(kKernelsPlan, {2, 1, 2});
}

// The pretend GPU is worth its name: without events it gives wrong orders.
TEST(FakeCuda, RunsUnorderedWorkInAnyOrder) {
  std::set<std::string> seen;
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    fakecuda::setSeed(seed);
    cudaStream_t a, b;
    cudaStreamCreateWithFlags(&a, 0);
    cudaStreamCreateWithFlags(&b, 0);
    std::string order;
    fakecuda::enqueue(a, [&] { order += 'a'; });
    fakecuda::enqueue(b, [&] { order += 'b'; });
    cudaStreamSynchronize(a);
    cudaStreamSynchronize(b);
    seen.insert(order);
    cudaStreamDestroy(a);
    cudaStreamDestroy(b);
  }
  EXPECT_EQ(seen, (std::set<std::string>{"ab", "ba"}));
}

} // namespace
} // namespace orrery::runtime
