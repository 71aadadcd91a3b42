// Calls of a DeviceGroup: their sizes, and what they go by.
#include "runtime/comm/nccl/DeviceCall.h"

#include "absl/strings/str_cat.h"
#include "runtime/plan/ElementType.h"

namespace orrery::runtime {
namespace {

// Elements from part to part of what a sum receives; parts are aligned.
int64_t stagingDistance(const DeviceCall &call) {
  const int64_t unit = 256 / elementBytes(call.type);
  return (call.count + unit - 1) / unit * unit;
}

// All parts, the own place empty.
int64_t stagingBytes(const DeviceCall &call) {
  return stagingDistance(call) * elementBytes(call.type) * call.group->size();
}

} // namespace

int64_t DeviceCall::bytes() const {
  const int64_t part = count * elementBytes(type);
  if (kind == Kind::AllGather && distance)
    return part + (group->size() - 1) * distance * elementBytes(type);
  return kind == Kind::AllReduce ? part : part * group->size();
}

bool DeviceCall::goesByPeers() const {
  constexpr int64_t kMostStaging = int64_t(256) << 20;
  if (!group->usesPeers() || count == 0 || kind == Kind::AllReduce)
    return false;
  return kind != Kind::ReduceScatter || stagingBytes(*this) <= kMostStaging;
}

int64_t DeviceCall::scratchBytes() const {
  return kind == Kind::ReduceScatter && goesByPeers() ? stagingBytes(*this) : 0;
}

absl::Status DeviceCall::run(const void *in, void *out, void *scratch,
                             cudaStream_t stream) const {
  switch (kind) {
  case Kind::AllReduce:
    return group->allReduce(in, out, count, type, reduction, stream);
  case Kind::AllGather:
    return distance
               ? group->allGatherApart(in, out, count, distance, type, stream)
               : group->allGather(in, out, count, type, stream);
  case Kind::ReduceScatter:
    return goesByPeers()
               ? group->reduceScatterByPeers(in, out, count, type, reduction,
                                             scratch, stagingDistance(*this),
                                             stream)
               : group->reduceScatter(in, out, count, type, reduction, stream);
  case Kind::AllToAll:
    return group->allToAll(in, out, count, type, stream);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no collective of kind ", static_cast<int>(kind)));
}

} // namespace orrery::runtime
