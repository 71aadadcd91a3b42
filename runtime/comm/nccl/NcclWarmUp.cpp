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
    // An error of the work itself was reported when it was waited for.
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
  // Waits for what was enqueued with `status`. Freeing memory waits for the
  // device, so what cannot end is aborted first.
  absl::Status finish(NcclWorld &world, absl::Status status) {
    if (status.ok())
      status = toStatus(cudaEventRecord(done, stream), "cudaEventRecord");
    if (status.ok())
      status = world.wait(done);
    if (!status.ok())
      world.abort().IgnoreError(); // the first error says more
    return status;
  }

  void *memory = nullptr;
  cudaStream_t stream = nullptr;
  cudaEvent_t done = nullptr;
};

} // namespace

absl::Status NcclWorld::warmUp(std::span<const DeviceCall> calls) {
  std::vector<DeviceCall> distinct;
  int64_t bytes = 0;
  for (const DeviceCall &call : calls) {
    if (call.group->size() == 1 || call.count == 0 || call.goesByPeers() ||
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
  absl::Status status;
  for (const DeviceCall &call : distinct) {
    const int64_t own = call.group->rank() *
                        (call.distance ? call.distance : call.count) *
                        elementBytes(call.type);
    const std::byte *in = memory;
    std::byte *out = memory;
    if (call.kind == DeviceCall::Kind::AllGather)
      in += own;
    else if (call.kind == DeviceCall::Kind::ReduceScatter)
      out += own;
    else if (call.kind == DeviceCall::Kind::AllToAll)
      out += call.bytes();
    status.Update(call.run(in, out, bench.stream));
    if (!status.ok())
      break;
  }
  return bench.finish(*this, status);
}

absl::Status NcclWorld::warmUpChannels(std::span<PeerChannel *const> channels) {
  if (channels.empty())
    return absl::OkStatus();
  Workbench bench;
  if (absl::Status status = bench.setUp(1); !status.ok())
    return status;
  absl::Status status;
  for (const PeerChannel *channel : channels) {
    status = channel->sender ? channel->send(bench.memory, 1, bench.stream)
                             : channel->receive(bench.memory, 1, bench.stream);
    if (!status.ok())
      break;
  }
  return bench.finish(*this, status);
}

} // namespace orrery::runtime
