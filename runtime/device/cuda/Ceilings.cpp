// Timing a product and a copy.
#include "runtime/device/cuda/Ceilings.h"

#include "runtime/device/cuda/GemmOperands.h"
#include "runtime/device/cuda/Memory.h"

#include <algorithm>
#include <functional>

namespace orrery::runtime::cuda {
namespace {

using Enqueue = std::function<absl::Status(cudaStream_t)>;

// Seconds of a run, the mean of several behind one that warms up.
absl::StatusOr<double> secondsOf(const Enqueue &enqueue) {
  constexpr int kRuns = 20;
  absl::StatusOr<Stream> stream = createStream(false);
  absl::StatusOr<Event> begin = createEvent(true), end = createEvent(true);
  for (const absl::Status &status :
       {stream.status(), begin.status(), end.status()})
    if (!status.ok())
      return status;
  absl::Status status = enqueue(stream->get());
  status.Update(
      toStatus(cudaEventRecord(begin->get(), stream->get()), "timing"));
  for (int run = 0; run < kRuns; ++run)
    status.Update(enqueue(stream->get()));
  status.Update(toStatus(cudaEventRecord(end->get(), stream->get()), "timing"));
  status.Update(toStatus(cudaEventSynchronize(end->get()), "timing"));
  float milliseconds = 0;
  status.Update(toStatus(
      cudaEventElapsedTime(&milliseconds, begin->get(), end->get()), "timing"));
  if (!status.ok())
    return status;
  return milliseconds / 1e3 / kRuns;
}

// Half of the free memory: others want some, too.
absl::StatusOr<int64_t> freeBytes() {
  size_t free = 0, total = 0;
  if (cudaError_t error = cudaMemGetInfo(&free, &total); error != cudaSuccess)
    return toStatus(error, "cannot ask for the GPU's free memory");
  return static_cast<int64_t>(free) / 2;
}

absl::StatusOr<double> flopsPerSecond(PlanGemms &gemms, int64_t available) {
  constexpr int64_t kWorkspace = int64_t(64) << 20;
  GemmProblem problem;
  problem.type = problem.typeC = gemms.commonType();
  problem.transposeB = true; // as most products with weights
  int64_t size = 8192;
  while (size >= 1024 &&
         kWorkspace + 3 * size * size * kernels::elementBytes(problem.type) >
             available)
    size /= 2;
  if (size < 1024)
    return 0;
  problem.m = problem.n = problem.k = size;
  problem.lda = problem.ldb = problem.ldc = size;
  absl::StatusOr<PreparedGemm *> gemm = gemms.prepareFastest(problem);
  absl::StatusOr<Stream> stream = createStream(false);
  for (const absl::Status &status : {gemm.status(), stream.status()})
    if (!status.ok())
      return status;
  absl::StatusOr<GemmOperands> operands =
      GemmOperands::create(problem, (*gemm)->workspaceBytes(), stream->get());
  if (!operands.ok())
    return operands.status();
  if (cudaError_t error = cudaStreamSynchronize(stream->get());
      error != cudaSuccess)
    return toStatus(error, "operands of a measurement");
  absl::StatusOr<double> seconds = secondsOf([&](cudaStream_t on) {
    return (*gemm)->run(operands->set(0), operands->workspace(), on);
  });
  if (!seconds.ok())
    return seconds.status();
  return problem.flops() / *seconds;
}

absl::StatusOr<double> bytesPerSecond(int64_t available) {
  const int64_t bytes = std::min(available / 2, int64_t(512) << 20);
  if (bytes < int64_t(64) << 20)
    return 0; // caches would do it
  absl::StatusOr<DeviceMemory> memory =
      allocateDevice(2 * bytes, "the copy of a measurement");
  if (!memory.ok())
    return memory.status();
  std::byte *base = static_cast<std::byte *>(memory->get());
  absl::StatusOr<double> seconds = secondsOf([&](cudaStream_t stream) {
    return toStatus(cudaMemcpyAsync(base + bytes, base,
                                    static_cast<size_t>(bytes),
                                    cudaMemcpyDeviceToDevice, stream),
                    "copy of a measurement");
  });
  if (!seconds.ok())
    return seconds.status();
  return 2.0 * static_cast<double>(bytes) / *seconds;
}

// 0 where others took the memory in the meantime.
absl::StatusOr<double> orUnknown(absl::StatusOr<double> rate) {
  if (absl::IsResourceExhausted(rate.status()))
    return 0;
  return rate;
}

} // namespace

absl::StatusOr<DeviceCeilings> measureCeilings(PlanGemms &gemms) {
  absl::StatusOr<int64_t> available = freeBytes();
  if (!available.ok())
    return available.status();
  DeviceCeilings ceilings;
  if (!gemms.empty()) {
    absl::StatusOr<double> flops = orUnknown(flopsPerSecond(gemms, *available));
    if (!flops.ok())
      return flops.status();
    ceilings.flopsPerSecond = *flops;
  }
  absl::StatusOr<double> bytes = orUnknown(bytesPerSecond(*available));
  if (!bytes.ok())
    return bytes.status();
  ceilings.bytesPerSecond = *bytes;
  return ceilings;
}

} // namespace orrery::runtime::cuda
