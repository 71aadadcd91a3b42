// How near the generated kernels of a plan come to a copy:
//
//   kernels-cuda PLAN [RANK]
//
// runs each distinct launch of the rank's programs by itself on noise and
// prints a table. MB are what the kernel must move, each operand read or
// written once; the last column compares with a copy within the GPU's memory.
// Operands that fit into the second-level cache make rates above the copy's.
#include "runtime/device/cuda/KernelLibrary.h"
#include "runtime/plan/ElementType.h"
#include "runtime/plan/PlanFile.h"
#include "runtime/plan/RankPlan.h"

#include "absl/strings/numbers.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <random>
#include <vector>

namespace orrery::runtime::cuda {
namespace {

constexpr int64_t kMillion = 1000000;

// One kernel on one number of rows, as often as the programs launch it.
struct DistinctLaunch {
  const plan::Launch *launch = nullptr;
  int count = 0;
};

std::vector<DistinctLaunch> distinctLaunches(const plan::RankClass &rankClass) {
  std::vector<DistinctLaunch> launches;
  std::map<std::pair<uint32_t, int64_t>, size_t> known;
  for (const plan::Program &program : rankClass.programs())
    for (const plan::Instruction &instruction : program.instructions()) {
      if (!instruction.has_launch())
        continue;
      const plan::Launch &launch = instruction.launch();
      auto [entry, isNew] =
          known.insert({{launch.kernel(), launch.rows()}, launches.size()});
      if (isNew)
        launches.push_back({&launch, 0});
      ++launches[entry->second].count;
    }
  return launches;
}

int64_t bytesMoved(const plan::Launch &launch) {
  int64_t bytes = 0;
  for (const plan::View &view : launch.buffers()) {
    int64_t elements = 1;
    for (int64_t size : view.shape())
      elements *= size;
    bytes += elements * elementBytes(view.type());
  }
  return bytes;
}

// Words that are moderate numbers as one f32, as two bf16 and as two f16.
absl::Status fillWithNoise(std::byte *memory, int64_t bytes) {
  std::mt19937 random(1);
  std::vector<uint16_t> halves(int64_t(1) << 22);
  for (uint16_t &half : halves) {
    const uint16_t sign = random() % 2 << 15, fraction = random() % 256;
    half = sign | 0x3f00 | fraction; // 0.5 to 2 as bf16
  }
  int64_t done = std::min<int64_t>(bytes, halves.size() * 2);
  absl::Status status =
      toStatus(cudaMemcpy(memory, halves.data(), done, cudaMemcpyHostToDevice),
               "copy of noise");
  for (; done < bytes && status.ok(); done *= 2)
    status =
        toStatus(cudaMemcpy(memory + done, memory, std::min(done, bytes - done),
                            cudaMemcpyDeviceToDevice),
                 "copy of noise");
  return status;
}

// Seconds of one run of what `enqueue` puts on the default stream.
absl::StatusOr<double> measure(const std::function<cudaError_t()> &enqueue) {
  auto begin = createEvent(true), end = createEvent(true);
  for (const absl::Status &status : {begin.status(), end.status()})
    if (!status.ok())
      return status;
  float milliseconds = 0;
  for (int runs = 3;;
       runs = std::max<int>(2 * runs, 60 * runs / milliseconds)) {
    cudaError_t error = cudaEventRecord(begin->get(), nullptr);
    for (int i = 0; i < runs && error == cudaSuccess; ++i)
      error = enqueue();
    if (error == cudaSuccess)
      error = cudaEventRecord(end->get(), nullptr);
    if (error == cudaSuccess)
      error = cudaEventSynchronize(end->get());
    if (error == cudaSuccess)
      error = cudaEventElapsedTime(&milliseconds, begin->get(), end->get());
    if (error != cudaSuccess)
      return toStatus(error, "measured work");
    if (milliseconds > 40 || runs > 10000)
      return milliseconds / 1e3 / runs;
    milliseconds = std::max(milliseconds, 0.01f);
  }
}

class Table {
public:
  static absl::StatusOr<Table> create(const RankPlan &rank);
  absl::Status run();

private:
  explicit Table(const RankPlan &rank) : rank(rank) {}
  absl::StatusOr<double> measureCopy();
  absl::StatusOr<double> measureLaunch(const plan::Launch &launch);

  RankPlan rank;
  KernelLibrary kernels;
  DeviceMemory arena, key;
  int64_t arenaBytes = 0;
};

absl::StatusOr<Table> Table::create(const RankPlan &rank) {
  Table table(rank);
  auto kernels = KernelLibrary::load(*rank.plan);
  if (!kernels.ok())
    return kernels.status();
  table.kernels = *std::move(kernels);
  table.arenaBytes = rank.member->arena_bytes();
  auto arena = allocateDevice(table.arenaBytes, "the arena");
  auto key = allocateDevice(sizeof(uint64_t), "a key");
  for (const absl::Status &status : {arena.status(), key.status()})
    if (!status.ok())
      return status;
  table.arena = *std::move(arena);
  table.key = *std::move(key);
  absl::Status status =
      toStatus(cudaMemset(table.key.get(), 0x5a, sizeof(uint64_t)), "a key");
  status.Update(fillWithNoise(static_cast<std::byte *>(table.arena.get()),
                              table.arenaBytes));
  if (!status.ok())
    return status;
  return table;
}

// Bytes read and written a second.
absl::StatusOr<double> Table::measureCopy() {
  const int64_t bytes = std::min<int64_t>(arenaBytes / 2, 1024 * kMillion);
  auto *memory = static_cast<std::byte *>(arena.get());
  auto seconds = measure([&] {
    return cudaMemcpyAsync(memory + bytes, memory, bytes,
                           cudaMemcpyDeviceToDevice, nullptr);
  });
  if (!seconds.ok())
    return seconds.status();
  return 2.0 * bytes / *seconds;
}

absl::StatusOr<double> Table::measureLaunch(const plan::Launch &launch) {
  std::vector<uint64_t> values;
  for (const plan::View &view : launch.buffers())
    values.push_back(reinterpret_cast<uintptr_t>(arena.get()) +
                     rank.rankClass->buffers(view.buffer()).offset() +
                     view.offset());
  for (const plan::Launch::Scalar &scalar : launch.scalars())
    values.push_back(scalar.has_stream()
                         ? reinterpret_cast<uintptr_t>(key.get())
                         : scalar.index().constant());
  values.push_back(launch.rows());
  std::vector<void *> arguments;
  for (uint64_t &value : values)
    arguments.push_back(&value);
  const LoadedKernel &kernel = kernels.kernel(launch.kernel());
  const dim3 grid(
      gridBlocks(launch.rows(), kernel.rowsPerBlock, kernel.resident));
  return measure([&] {
    return cudaLaunchKernel(reinterpret_cast<const void *>(kernel.kernel), grid,
                            dim3(kernel.threads), arguments.data(), 0, nullptr);
  });
}

absl::Status Table::run() {
  auto copy = measureCopy();
  if (!copy.ok())
    return copy.status();
  std::printf("copy within the GPU: %.0f GB/s\n\n", *copy / 1e9);
  std::printf("%8s %6s %12s %10s %10s %8s %7s  %s\n", "kernel", "count", "rows",
              "MB", "us", "GB/s", "of copy", "operations");
  double bytesOfAll = 0, secondsOfAll = 0;
  for (const auto &[launch, count] : distinctLaunches(*rank.rankClass)) {
    auto seconds = measureLaunch(*launch);
    if (!seconds.ok())
      return seconds.status();
    const double bytes = bytesMoved(*launch), rate = bytes / *seconds;
    bytesOfAll += count * bytes;
    secondsOfAll += count * *seconds;
    const plan::Kernel &kernel = rank.plan->kernels(launch->kernel());
    std::printf("%8s %6d %12lld %10.2f %10.2f %8.0f %6.1f%%  %s\n",
                kernel.symbol().c_str(), count,
                static_cast<long long>(launch->rows()), bytes / kMillion,
                *seconds * 1e6, rate / 1e9, 100 * rate / *copy,
                kernel.description().c_str());
  }
  std::printf("\nall programs once: %.2f MB in %.3f ms, %.1f%% of the copy\n",
              bytesOfAll / kMillion, secondsOfAll * 1e3,
              100 * bytesOfAll / secondsOfAll / *copy);
  return absl::OkStatus();
}

absl::Status runPlan(const std::string &path, int32_t number) {
  auto plan = readPlan(path);
  if (!plan.ok())
    return plan.status();
  auto rank = RankPlan::create(*plan, number);
  if (!rank.ok())
    return rank.status();
  auto table = Table::create(*rank);
  if (!table.ok())
    return table.status();
  return table->run();
}

} // namespace
} // namespace orrery::runtime::cuda

int main(int argc, char **argv) {
  int32_t rank = 0;
  if (argc < 2 || argc > 3 ||
      (argc == 3 && !absl::SimpleAtoi(argv[2], &rank))) {
    std::fprintf(stderr, "usage: kernels-cuda PLAN [RANK]\n");
    return 2;
  }
  absl::Status status = orrery::runtime::cuda::runPlan(argv[1], rank);
  if (status.ok())
    return 0;
  std::fprintf(stderr, "kernels-cuda: error: %s\n",
               std::string(status.message()).c_str());
  return 1;
}
