// A call of a DeviceGroup as a value.
#ifndef ORRERY_RUNTIME_COMM_NCCL_DEVICECALL_H
#define ORRERY_RUNTIME_COMM_NCCL_DEVICECALL_H

#include "runtime/comm/DimensionCollective.h"
#include "runtime/comm/nccl/DeviceGroup.h"

namespace orrery::runtime {

/// `count` as DeviceGroup's: of one member's part for all but AllReduce.
struct DeviceCall {
  using Kind = DimensionCollective::Kind;

  const DeviceGroup *group = nullptr;
  Kind kind = Kind::AllReduce;
  Reduction reduction = Reduction::Sum;
  plan::ElementType type = plan::F32;
  int64_t count = 0;
  // Of AllGather: elements from part to part of the output; 0: side by side.
  int64_t distance = 0;

  bool operator==(const DeviceCall &) const = default;
  /// Whether it goes by copies between GPUs, of memory that they reach: gathers
  /// and exchanges of a group that uses peers, and sums of parts that fit the
  /// scratch memory they are given.
  bool goesByPeers() const;
  int64_t scratchBytes() const; // a multiple of 256
  /// `scratch`: aligned to 256 bytes, reached by peers where it goes by them.
  absl::Status run(const void *in, void *out, void *scratch,
                   cudaStream_t stream) const;
  /// Bytes of the larger of input and output, gaps included.
  int64_t bytes() const;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_NCCL_DEVICECALL_H
