// Steps with made-up inputs.
#include "test/runtime/device/cuda/PlanJob.h"

#include "runtime/comm/local/LocalWorld.h"
#include "runtime/device/Trace.h"
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/device/cuda/CudaDevice.h"

#include <cstring>
#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

template <typename Body> void forEachState(const RankPlan &rank, Body body) {
  for (int i = 0; i < rank.rankClass->buffers_size(); ++i) {
    const plan::Buffer &buffer = rank.rankClass->buffers(i);
    if (buffer.kind() == plan::Buffer::WEIGHT ||
        buffer.kind() == plan::Buffer::OPTIMIZER)
      body(buffer, buffer.name() + "#" + std::to_string(i));
  }
}

} // namespace

absl::StatusOr<std::unique_ptr<Device>>
PlanJob::create(const RankPlan &rank, CommunicatorFactory &factory) {
  if (plan.target().name() == "cpu")
    return createCpuDevice(rank, factory, 1);
  return createCudaDevice(rank, factory, {});
}

absl::Status PlanJob::run(int ranks, const std::vector<int64_t> &microbatches,
                          bool traced) {
  ends.resize(static_cast<size_t>(ranks));
  return runLocalRanks(ranks, [&](CommunicatorFactory &f) -> absl::Status {
    absl::StatusOr<RankPlan> rank = RankPlan::create(plan, f.rank());
    if (!rank.ok())
      return rank.status();
    auto device = create(*rank, f);
    if (!device.ok())
      return device.status();
    Trace trace;
    trace.start();
    if (traced)
      (*device)->setTrace(&trace);
    absl::Status status = setWeights(**device, *rank);
    for (size_t i = 0; i < microbatches.size() && status.ok(); ++i) {
      status = runStep(**device, static_cast<int64_t>(i) + 1, microbatches[i],
                       /*train=*/true);
      if (status.ok() && i == 0 && rank->rankClass->has_evaluate())
        status = runStep(**device, 0, 2, /*train=*/false);
    }
    if (status.ok())
      status = collect(**device, *rank);
    if (f.rank() == 0)
      events = trace.all().size();
    return status;
  });
}

absl::Status PlanJob::setWeights(Device &device, const RankPlan &rank) {
  absl::StatusOr<std::byte *> arena = device.hostArena();
  if (!arena.ok())
    return arena.status();
  forEachState(rank, [&](const plan::Buffer &buffer, const std::string &) {
    for (uint64_t i = 0; i < buffer.bytes() / 4; ++i) {
      const float value = static_cast<float>(i % 5);
      std::memcpy(*arena + buffer.offset() + 4 * i, &value, 4);
    }
  });
  return device.updateFromHost();
}

absl::Status PlanJob::runStep(Device &device, int64_t step,
                              int64_t microbatches, bool train) {
  const NamedScalar scalars[] = {{"lr", 2}};
  return device.run({train, step, microbatches, scalars},
                    [&](int64_t microbatch, BatchView batch) {
                      for (size_t i = 0; i < batch.tokens.size(); ++i) {
                        const int64_t at = static_cast<int64_t>(i);
                        batch.tokens[i] =
                            static_cast<int32_t>((at + microbatch) % 7);
                        batch.lossMask[i] = static_cast<float>((at + step) % 3);
                      }
                      return absl::OkStatus();
                    });
}

absl::Status PlanJob::collect(Device &device, const RankPlan &rank) {
  absl::StatusOr<std::byte *> arena = device.hostArena();
  if (!arena.ok())
    return arena.status();
  EndValues &values = ends[static_cast<size_t>(rank.rank)];
  forEachState(rank, [&](const plan::Buffer &buffer, const std::string &as) {
    std::vector<float> &own = values[as];
    own.resize(buffer.bytes() / 4);
    std::memcpy(own.data(), *arena + buffer.offset(), buffer.bytes());
  });
  for (const plan::Buffer &buffer : rank.rankClass->buffers())
    if (buffer.kind() == plan::Buffer::SCALAR)
      values["scalar " + buffer.name()] = {
          static_cast<float>(device.scalar(buffer.name()).value_or(-1))};
  EXPECT_FALSE(device.scalar("no such scalar").has_value());
  return absl::OkStatus();
}

} // namespace orrery::runtime
