// What goes between host and GPU in a step: inputs of all its microbatches,
// scalars and random keys, in page-locked memory that a captured graph reads.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_STAGING_H
#define ORRERY_RUNTIME_DEVICE_CUDA_STAGING_H

#include "runtime/device/Device.h"
#include "runtime/device/HostScalars.h"
#include "runtime/device/InputFeeder.h"
#include "runtime/device/StepKeys.h"
#include "runtime/device/cuda/HostImage.h"
#include "runtime/device/cuda/Memory.h"
#include "runtime/device/cuda/StepPlan.h"

#include <optional>
#include <vector>

namespace orrery::runtime::cuda {

class Staging {
public:
  /// Scalars and one microbatch of inputs are laid out in `image` as in the
  /// arena, which must outlive the staging, as must `rank`. `keys` has all its
  /// streams. Errors: InputFeeder's, and no memory.
  static absl::StatusOr<std::unique_ptr<Staging>>
  create(const RankPlan &rank, std::byte *image, StepKeys &keys);

  bool readsData() const { return feeder.needed(); }
  /// Room for `microbatches`; true when it moved the inputs, whose addresses
  /// captured graphs hold.
  absl::StatusOr<bool> reserve(int64_t microbatches);
  /// Inputs of every microbatch, scalars, keys.
  absl::Status fill(const ScheduleRun &run, const BatchReader &reader);

  // Copies to enqueue. `device`: the keys; `arena`: the rest.
  absl::Status copyKeys(uint64_t *device, cudaStream_t stream) const;
  absl::Status copyScalars(std::byte *arena, cudaStream_t stream) const;
  absl::Status copyInputs(std::byte *arena, int64_t microbatch,
                          cudaStream_t stream) const;
  absl::Status readScalars(const std::byte *arena, cudaStream_t stream) const;

  /// Takes over what readScalars brought.
  void finish();
  std::optional<double> scalar(std::string_view name) const {
    return scalars.read(name);
  }
  /// Page-locked bytes.
  int64_t bytes() const;

private:
  // Bytes of the arena and their place in page-locked memory, relative to the
  // microbatch's for inputs.
  struct Part {
    uint64_t offset = 0, bytes = 0, slotStride = 0, slots = 1;
    uint64_t staged = 0;
    uint64_t at(int64_t microbatch) const {
      return offset + (static_cast<uint64_t>(microbatch) % slots) * slotStride;
    }
  };

  Staging(const RankPlan &rank, std::byte *image, StepKeys &keys)
      : image(image), keys(keys), scalars(rank, image) {}
  absl::Status allocate();

  std::byte *image;
  StepKeys &keys;
  HostScalars scalars;
  InputFeeder feeder;
  std::vector<Part> scalarParts, inputParts;
  uint64_t scalarBytes = 0, inputBytes = 0; // of a microbatch
  int64_t capacity = 0;                     // microbatches
  PinnedMemory stagedScalars, stagedKeys, stagedInputs;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_STAGING_H
