// Calls of a DeviceGroup.
#include "runtime/comm/nccl/DeviceCall.h"

#include "absl/strings/str_cat.h"
#include "runtime/plan/ElementType.h"

namespace orrery::runtime {

int64_t DeviceCall::bytes() const {
  const int64_t part = count * elementBytes(type);
  if (kind == Kind::AllGather && distance)
    return part + (group->size() - 1) * distance * elementBytes(type);
  return kind == Kind::AllReduce ? part : part * group->size();
}

absl::Status DeviceCall::run(const void *in, void *out,
                             cudaStream_t stream) const {
  switch (kind) {
  case Kind::AllReduce:
    return group->allReduce(in, out, count, type, reduction, stream);
  case Kind::AllGather:
    return distance
               ? group->allGatherApart(in, out, count, distance, type, stream)
               : group->allGather(in, out, count, type, stream);
  case Kind::ReduceScatter:
    return group->reduceScatter(in, out, count, type, reduction, stream);
  case Kind::AllToAll:
    return group->allToAll(in, out, count, type, stream);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no collective of kind ", static_cast<int>(kind)));
}

} // namespace orrery::runtime
