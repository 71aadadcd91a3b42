// Collectives along one dimension of a row-major tensor in device memory
// (DimensionCollective.h), enqueued on a stream.
#ifndef ORRERY_RUNTIME_COMM_NCCL_DEVICECOLLECTIVE_H
#define ORRERY_RUNTIME_COMM_NCCL_DEVICECOLLECTIVE_H

#include "runtime/comm/nccl/DeviceCall.h"

#include <span>

namespace orrery::runtime {

/// Prepared once for an input shape and a group; enqueuing allocates nothing
/// and may be captured into a CUDA graph.
class DeviceCollective {
public:
  using Kind = DimensionCollective::Kind;

  DeviceCollective() = default;

  /// As DimensionCollective::create; `group` must outlive `out`.
  static absl::Status create(const DeviceGroup &group, Kind kind,
                             Reduction reduction, plan::ElementType type,
                             std::span<const int64_t> shape, int dimension,
                             int concatDimension, DeviceCollective &out);

  /// As DimensionCollective::spread.
  absl::Status spread(int64_t distance);

  int64_t scratchBytes() const;
  /// The call of the group, to warm NCCL up with.
  const DeviceCall &call() const { return flat; }

  /// `in` and `out` are contiguous but for what spread() says; they may be the
  /// same for AllReduce only.
  /// `scratch`: aligned to 256 bytes, not used by others until this is done.
  absl::Status run(const void *in, void *out, void *scratch,
                   cudaStream_t stream) const;

private:
  DimensionCollective collective;
  DeviceCall flat;
  DimensionCollective::Interleave before, after;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_NCCL_DEVICECOLLECTIVE_H
