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
  bool goesByPeers() const {
    return group->usesPeers() && kind != Kind::AllReduce;
  }
  absl::Status run(const void *in, void *out, cudaStream_t stream) const;
  /// Bytes of the larger of input and output, gaps included.
  int64_t bytes() const;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_NCCL_DEVICECALL_H
