// Filling and copying.
#include "runtime/device/cuda/Staging.h"

#include <cstring>

namespace orrery::runtime::cuda {
namespace {

uint64_t aligned(uint64_t bytes) { return (bytes + 255) / 256 * 256; }

std::byte *bytesOf(const PinnedMemory &memory) {
  return static_cast<std::byte *>(memory.get());
}

} // namespace

absl::StatusOr<std::unique_ptr<Staging>>
Staging::create(const RankPlan &rank, std::byte *image, StepKeys &keys) {
  std::unique_ptr<Staging> staging(new Staging(rank, image, keys));
  absl::StatusOr<InputFeeder> feeder = InputFeeder::create(rank, image);
  if (!feeder.ok())
    return feeder.status();
  staging->feeder = *std::move(feeder);
  for (const ArenaRange &range : rangesOf(rank, plan::Buffer::SCALAR)) {
    staging->scalarParts.push_back(
        {range.begin, range.bytes(), 0, 1, staging->scalarBytes});
    staging->scalarBytes += aligned(range.bytes());
  }
  for (const plan::Buffer &buffer : rank.rankClass->buffers()) {
    if (buffer.kind() != plan::Buffer::INPUT)
      continue;
    staging->inputParts.push_back(
        {buffer.offset(), buffer.bytes(), buffer.slot_stride(),
         slotsOf(buffer, *rank.member), staging->inputBytes});
    staging->inputBytes += aligned(buffer.bytes());
  }
  if (absl::Status status = staging->allocate(); !status.ok())
    return status;
  return staging;
}

absl::Status Staging::allocate() {
  absl::StatusOr<PinnedMemory> memory =
      allocatePinned(static_cast<int64_t>(scalarBytes), "scalars");
  if (!memory.ok())
    return memory.status();
  stagedScalars = *std::move(memory);
  memory = allocatePinned(static_cast<int64_t>(keys.all().size() * 8),
                          "random keys");
  if (!memory.ok())
    return memory.status();
  stagedKeys = *std::move(memory);
  // Evaluation may come before the first training step.
  if (!keys.all().empty())
    std::memset(stagedKeys.get(), 0, keys.all().size() * 8);
  return absl::OkStatus();
}

absl::StatusOr<bool> Staging::reserve(int64_t microbatches) {
  if (microbatches <= capacity || inputBytes == 0)
    return false;
  stagedInputs = PinnedMemory(); // first, lest both exist at once
  capacity = 0;
  absl::StatusOr<PinnedMemory> memory = allocatePinned(
      microbatches * static_cast<int64_t>(inputBytes), "a step's inputs");
  if (!memory.ok())
    return memory.status();
  stagedInputs = *std::move(memory);
  capacity = microbatches;
  return true;
}

absl::Status Staging::fill(const ScheduleRun &run, const BatchReader &reader) {
  if (run.train) {
    keys.beginStep(run.step);
    if (!keys.all().empty())
      std::memcpy(stagedKeys.get(), keys.all().data(), keys.all().size() * 8);
  }
  scalars.clearMetrics();
  for (const NamedScalar &scalar : run.scalars)
    scalars.set(scalar.name, scalar.value);
  for (const Part &part : scalarParts)
    std::memcpy(bytesOf(stagedScalars) + part.staged, image + part.offset,
                part.bytes);
  for (int64_t m = 0; readsData() && m < run.microbatches; ++m) {
    if (absl::Status status = feeder.fill(m, reader); !status.ok())
      return status;
    std::byte *to =
        bytesOf(stagedInputs) + static_cast<uint64_t>(m) * inputBytes;
    for (const Part &part : inputParts)
      std::memcpy(to + part.staged, image + part.at(m), part.bytes);
  }
  return absl::OkStatus();
}

absl::Status Staging::copyKeys(uint64_t *device, cudaStream_t stream) const {
  if (keys.all().empty())
    return absl::OkStatus();
  return toStatus(cudaMemcpyAsync(device, stagedKeys.get(),
                                  keys.all().size() * 8, cudaMemcpyHostToDevice,
                                  stream),
                  "copy of random keys");
}

absl::Status Staging::copyScalars(std::byte *arena, cudaStream_t stream) const {
  absl::Status status;
  for (const Part &part : scalarParts)
    if (status.ok())
      status =
          toStatus(cudaMemcpyAsync(arena + part.offset,
                                   bytesOf(stagedScalars) + part.staged,
                                   part.bytes, cudaMemcpyHostToDevice, stream),
                   "copy of scalars");
  return status;
}

absl::Status Staging::copyInputs(std::byte *arena, int64_t microbatch,
                                 cudaStream_t stream) const {
  const std::byte *from =
      bytesOf(stagedInputs) + static_cast<uint64_t>(microbatch) * inputBytes;
  absl::Status status;
  for (const Part &part : inputParts)
    if (status.ok())
      status = toStatus(cudaMemcpyAsync(arena + part.at(microbatch),
                                        from + part.staged, part.bytes,
                                        cudaMemcpyHostToDevice, stream),
                        "copy of inputs");
  return status;
}

absl::Status Staging::readScalars(const std::byte *arena,
                                  cudaStream_t stream) const {
  absl::Status status;
  for (const Part &part : scalarParts)
    if (status.ok())
      status = toStatus(cudaMemcpyAsync(bytesOf(stagedScalars) + part.staged,
                                        arena + part.offset, part.bytes,
                                        cudaMemcpyDeviceToHost, stream),
                        "copy of scalars");
  return status;
}

void Staging::finish() {
  for (const Part &part : scalarParts)
    std::memcpy(image + part.offset, bytesOf(stagedScalars) + part.staged,
                part.bytes);
}

int64_t Staging::bytes() const {
  return static_cast<int64_t>(scalarBytes + keys.all().size() * 8) +
         capacity * static_cast<int64_t>(inputBytes);
}

} // namespace orrery::runtime::cuda
