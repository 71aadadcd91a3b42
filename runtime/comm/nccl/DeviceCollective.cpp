// Packing and unpacking on the device around flat collectives.
#include "runtime/comm/nccl/DeviceCollective.h"

#include "absl/strings/str_cat.h"
#include "kernels/cuda/StridedCopy.h"
#include "runtime/plan/ElementType.h"

namespace orrery::runtime {
namespace {

using Interleave = DimensionCollective::Interleave;

// Both parts of the scratch start at multiples of this.
int64_t aligned(int64_t bytes) { return (bytes + 255) / 256 * 256; }

// [outer, parts, run] -> [parts, outer, run], or back.
absl::Status reorder(const Interleave &interleave, bool pack,
                     int64_t elementBytes, const void *in, void *out,
                     cudaStream_t stream) {
  const auto &[outer, runBytes, parts] = interleave;
  const int64_t run = runBytes / elementBytes;
  kernels::CopyPlan copy;
  copy.elementBytes = elementBytes;
  auto add = [&](int64_t size, int64_t interleaved, int64_t packed) {
    if (size == 1)
      return;
    copy.shape[copy.rank] = size;
    copy.in[copy.rank] = pack ? interleaved : packed;
    copy.out[copy.rank] = pack ? packed : interleaved;
    ++copy.rank;
  };
  add(outer, parts * run, run);
  add(parts, run, outer * run);
  add(run, 1, 1);
  cudaError_t error = kernels::cuda::stridedCopy(copy, in, out, stream);
  if (error != cudaSuccess)
    return absl::InternalError(absl::StrCat(
        pack ? "packing " : "unpacking ", parts, " parts of ", outer,
        " runs of ", runBytes, " bytes: ", cudaGetErrorString(error)));
  return absl::OkStatus();
}

} // namespace

absl::Status DeviceCollective::create(const DeviceGroup &group, Kind kind,
                                      Reduction reduction,
                                      plan::ElementType type,
                                      std::span<const int64_t> shape,
                                      int dimension, int concatDimension,
                                      DeviceCollective &out) {
  DimensionCollective collective;
  if (absl::Status status = DimensionCollective::create(
          kind, reduction, type, shape, dimension, concatDimension,
          group.size(), collective);
      !status.ok())
    return status;
  const DimensionCollective::Steps &steps = collective.steps();
  out = DeviceCollective();
  out.collective = collective;
  out.flat = {&group, kind, reduction, type, steps.count};
  if (group.size() > 1) { // one part is in order already
    out.before = steps.before;
    out.after = steps.after;
  }
  return absl::OkStatus();
}

absl::Status DeviceCollective::spread(int64_t distance) {
  absl::Status status = collective.spread(distance);
  if (status.ok())
    flat.distance = collective.steps().distance;
  return status;
}

int64_t DeviceCollective::scratchBytes() const {
  return aligned(before.bytes()) + aligned(after.bytes());
}

absl::Status DeviceCollective::run(const void *in, void *out, void *scratch,
                                   cudaStream_t stream) const {
  if (flat.count == 0)
    return absl::OkStatus();
  const int64_t bytes = elementBytes(flat.type);
  std::byte *packed = static_cast<std::byte *>(scratch);
  std::byte *gathered = packed + aligned(before.bytes());
  if (before.needed())
    if (absl::Status status = reorder(before, true, bytes, in, packed, stream);
        !status.ok())
      return status;
  if (absl::Status status = flat.run(before.needed() ? packed : in,
                                     after.needed() ? gathered : out, stream);
      !status.ok())
    return status;
  return after.needed() ? reorder(after, false, bytes, gathered, out, stream)
                        : absl::OkStatus();
}

} // namespace orrery::runtime
