// The device on a pretend GPU, which runs what is enqueued in any order that
// streams and events allow: graphs and timed steps give what CPUs give.
#include "runtime/device/cuda/CudaDevice.h"

#include "runtime/comm/local/LocalWorld.h"
#include "runtime/device/Trace.h"
#include "test/runtime/device/cuda/CudaPlans.h"
#include "test/runtime/device/cuda/FakeCuda.h"
#include "test/runtime/device/cuda/PlanJob.h"
#include "test/runtime/exec/PlanText.h"

#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <set>

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

TEST(FakeCuda, ColumnSumsOfOneLaunchHaveEveryWait) {
  expectAnyOrderLikeCpus(kSumsPlan, {3, 1, 2});
}

TEST(FakeCuda, StepsWithPiecesBesideEachOtherHaveEveryWait) {
  expectAnyOrderLikeCpus(kPiecesPlan, {3, 1, 2});
}

// Runs `body` on the device of a plan of one rank.
absl::Status onDevice(const std::function<absl::Status(Device &)> &body,
                      const char *text = kStreamsPlan) {
  const plan::Plan plan = forGpus(planFromText(text));
  return runLocalRanks(1, [&](CommunicatorFactory &f) -> absl::Status {
    absl::StatusOr<RankPlan> rank = RankPlan::create(plan, f.rank());
    if (!rank.ok())
      return rank.status();
    auto device = createCudaDevice(*rank, f, {});
    return device.ok() ? body(**device) : device.status();
  });
}

absl::Status zeros(int64_t, BatchView) { return absl::OkStatus(); }

TEST(FakeCuda, TracesNameEveryActionAndItsStream) {
  absl::Status status = onDevice([](Device &device) {
    Trace trace;
    trace.start();
    device.setTrace(&trace);
    ScheduleRun run;
    run.step = 9;
    run.microbatches = 2;
    absl::Status status = device.run(run, zeros);
    std::map<std::string, int> streams, counts;
    for (const TraceEvent &event : trace.all()) {
      EXPECT_LE(event.begin, event.end);
      EXPECT_EQ(event.step, 9);
      streams[event.label] = event.stream;
      ++counts[event.label];
    }
    EXPECT_EQ(streams["add layer 3"], 0);
    EXPECT_EQ(streams["copy layer 3"], 1);
    EXPECT_EQ(streams["beside layer 3"], 2);
    EXPECT_EQ(streams["copy inputs"], 3);
    EXPECT_EQ(counts["copy inputs"], 2);
    EXPECT_EQ(counts["beside layer 3"], 2);
    EXPECT_EQ(counts["last layer 3"], 1);
    const TraceEvent *copy = nullptr;
    for (const TraceEvent &event : trace.all())
      if (std::string(event.label) == "copy layer 3")
        copy = &event;
    if (!copy)
      return absl::NotFoundError("no event of the copy");
    EXPECT_STREQ(copy->kind, "copy");
    EXPECT_STREQ(copy->program, "forward");
    EXPECT_EQ(copy->microbatch, 1);
    EXPECT_EQ(copy->bytes, 8000u);
    device.setTrace(nullptr);
    return status;
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(FakeCuda, TracesShowColumnSumsOfOneLaunchAsTheFirst) {
  absl::Status status = onDevice(
      [](Device &device) {
        Trace trace;
        trace.start();
        device.setTrace(&trace);
        absl::Status status = device.run({}, zeros);
        std::map<std::string, const TraceEvent *> sums;
        const std::vector<TraceEvent> all = trace.all();
        for (const TraceEvent &event : all)
          if (std::string(event.kind) == "column_sum") {
            EXPECT_TRUE(sums.emplace(event.label, &event).second);
          }
        EXPECT_EQ(sums.size(), 2u);
        if (sums.count("sum x layer 0") && sums.count("b to t layer 0")) {
          EXPECT_EQ(sums["sum x layer 0"]->flops, 1111u);
          EXPECT_EQ(sums["sum x layer 0"]->bytes, 4 * (640u + 32));
          EXPECT_EQ(sums["b to t layer 0"]->bytes, 2 * (640u + 32));
        } else {
          ADD_FAILURE() << "not the first ones";
        }
        device.setTrace(nullptr);
        return status;
      },
      kSumsPlan);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(FakeCuda, AFailedStepEndsTheDevice) {
  absl::Status status = onDevice([](Device &device) {
    EXPECT_EQ(
        device
            .run({}, [](int64_t,
                        BatchView) { return absl::DataLossError("torn file"); })
            .message(),
        "torn file");
    EXPECT_EQ(device.run({}, zeros).code(),
              absl::StatusCode::kFailedPrecondition);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(FakeCuda, TheHostsWeightsGoStaleWithAStep) {
  absl::Status status = onDevice([](Device &device) {
    EXPECT_TRUE(device.hostArena().ok());
    EXPECT_TRUE(device.updateFromHost().ok());
    absl::Status status = device.run({}, zeros);
    EXPECT_EQ(device.updateFromHost().code(),
              absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(device.hostArena().ok());
    status.Update(device.updateFromHost());
    return status;
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(FakeCuda, MemoryIsItemised) {
  absl::Status status = onDevice([](Device &device) {
    EXPECT_TRUE(device.run({}, zeros).ok());
    const std::string text = device.memoryReport().front();
    for (const char *part :
         {"GPU 0 (pretend GPU)", "context and others 256.0 MiB", "scratch",
          "arena 64.0 KiB", "of 8.00 GiB", "page-locked"})
      EXPECT_NE(text.find(part), std::string::npos) << text;
    EXPECT_GT(device.memoryBytes(), 1 << 28);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(FakeCuda, APlanThatDoesNotFitIsRefusedWithTheSizes) {
  plan::Plan plan = forGpus(planFromText(kStreamsPlan));
  plan.mutable_classes(0)->mutable_members(0)->set_arena_bytes(uint64_t(1)
                                                               << 33);
  absl::Status status = PlanJob(plan).run(1, {1}, false);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  for (const char *part : {"arena 8.00 GiB", "7.75 GiB of 8.00 GiB are free",
                           "context and others 256.0 MiB"})
    EXPECT_NE(status.message().find(part), std::string::npos) << status;
}

TEST(FakeCuda, AttentionWithFewerHeadsOfKeysIsRefused) {
  plan::Plan plan = forGpus(planFromText(kStreamsPlan));
  plan::Attention *attention = plan.mutable_classes(0)
                                   ->mutable_programs(0)
                                   ->add_instructions()
                                   ->mutable_attention();
  auto shape = [](plan::View *view, std::initializer_list<int64_t> sizes) {
    view->set_type(plan::F32);
    view->mutable_shape()->Assign(sizes.begin(), sizes.end());
    view->mutable_strides()->Resize(static_cast<int>(sizes.size()), 1);
    for (int d = view->shape_size() - 1; d > 0; --d)
      view->set_strides(d - 1, view->strides(d) * view->shape(d));
  };
  for (plan::View *view : {attention->mutable_q(), attention->mutable_o()})
    shape(view, {4, 1, 2, 8});
  for (plan::View *view : {attention->mutable_k(), attention->mutable_v()})
    shape(view, {4, 1, 1, 8});
  shape(attention->mutable_lse(), {1, 2, 4});
  absl::Status status = PlanJob(plan).run(1, {1}, false);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
  EXPECT_NE(status.message().find("queries [4, 1, 2, 8] and keys [4, 1, 1, 8]"),
            std::string::npos)
      << status;
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
