// First uses of groups and channels, which make NCCL allocate what it needs.
#include "runtime/comm/nccl/NcclWorld.h"

#include "absl/strings/str_cat.h"
#include "runtime/plan/ElementType.h"

#include <algorithm>

namespace orrery::runtime {
namespace {

absl::Status toStatus(cudaError_t error, const char *call) {
  if (error == cudaSuccess)
    return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(call, " while NCCL is set up: ", cudaGetErrorString(error)));
}

// A stream and zeroed memory for a while.
class Workbench {
public:
  Workbench() = default;
  ~Workbench() {
    // Freeing waits for the device; an error of the work itself was or will be
    // reported by whoever waits for it.
    if (memory)
      cudaFree(memory);
    if (done)
      cudaEventDestroy(done);
    if (stream)
      cudaStreamDestroy(stream);
  }
  Workbench(const Workbench &) = delete;
  Workbench &operator=(const Workbench &) = delete;

  absl::Status setUp(int64_t bytes) {
    if (cudaError_t error = cudaMalloc(&memory, bytes); error != cudaSuccess)
      return absl::ResourceExhaustedError(absl::StrCat(
          "cudaMalloc of ", bytes,
          " bytes while NCCL is set up: ", cudaGetErrorString(error)));
    absl::Status status =
        toStatus(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking),
                 "cudaStreamCreateWithFlags");
    status.Update(
        toStatus(cudaEventCreateWithFlags(&done, cudaEventDisableTiming),
                 "cudaEventCreateWithFlags"));
    if (status.ok())
      status = toStatus(cudaMemsetAsync(memory, 0, bytes, stream),
                        "cudaMemsetAsync");
    return status;
  }
  absl::Status finish(const NcclWorld &world) {
    absl::Status status =
        toStatus(cudaEventRecord(done, stream), "cudaEventRecord");
    return status.ok() ? world.wait(done) : status;
  }

  void *memory = nullptr;
  cudaStream_t stream = nullptr;
  cudaEvent_t done = nullptr;
};

} // namespace

int64_t DeviceCall::bytes() const {
  const int64_t part = count * elementBytes(type);
  return kind == Kind::AllReduce ? part : part * group->size();
}

absl::Status DeviceCall::run(const void *in, void *out,
                             cudaStream_t stream) const {
  switch (kind) {
  case Kind::AllReduce:
    return group->allReduce(in, out, count, type, reduction, stream);
  case Kind::AllGather:
    return group->allGather(in, out, count, type, stream);
  case Kind::ReduceScatter:
    return group->reduceScatter(in, out, count, type, reduction, stream);
  case Kind::AllToAll:
    return group->allToAll(in, out, count, type, stream);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no collective of kind ", static_cast<int>(kind)));
}

absl::Status NcclWorld::warmUp(std::span<const DeviceCall> calls) {
  std::vector<DeviceCall> distinct;
  int64_t bytes = 0;
  for (const DeviceCall &call : calls) {
    if (call.group->size() == 1 || call.count == 0 ||
        std::find(distinct.begin(), distinct.end(), call) != distinct.end())
      continue;
    distinct.push_back(call);
    // All but AllToAll run in place.
    const bool apart = call.kind == DeviceCall::Kind::AllToAll;
    bytes = std::max(bytes, call.bytes() * (apart ? 2 : 1));
  }
  if (distinct.empty())
    return absl::OkStatus();
  Workbench bench;
  if (absl::Status status = bench.setUp(bytes); !status.ok())
    return status;
  std::byte *memory = static_cast<std::byte *>(bench.memory);
  for (const DeviceCall &call : distinct) {
    const int64_t own =
        call.group->rank() * call.count * elementBytes(call.type);
    const std::byte *in = memory;
    std::byte *out = memory;
    if (call.kind == DeviceCall::Kind::AllGather)
      in += own;
    else if (call.kind == DeviceCall::Kind::ReduceScatter)
      out += own;
    else if (call.kind == DeviceCall::Kind::AllToAll)
      out += call.bytes();
    if (absl::Status status = call.run(in, out, bench.stream); !status.ok())
      return status;
  }
  return bench.finish(*this);
}

absl::Status NcclWorld::warmUpChannels(std::span<PeerChannel *const> channels) {
  if (channels.empty())
    return absl::OkStatus();
  Workbench bench;
  if (absl::Status status = bench.setUp(1); !status.ok())
    return status;
  for (const PeerChannel *channel : channels) {
    absl::Status status = channel->sender
                              ? channel->send(bench.memory, 1, bench.stream)
                              : channel->receive(bench.memory, 1, bench.stream);
    if (!status.ok())
      return status;
  }
  return bench.finish(*this);
}

} // namespace orrery::runtime
