// Messages between two ranks over device memory.
#include "runtime/comm/nccl/PeerChannel.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace orrery::runtime {

std::strong_ordering
PeerChannelId::operator<=>(const PeerChannelId &other) const {
  auto key = [](const PeerChannelId &id) {
    const int32_t low = std::min(id.from, id.to);
    const int32_t distance = std::abs(id.to - id.from);
    const int32_t odd = distance ? low / distance % 2 : 0;
    return std::tuple(distance, odd, id.from > id.to, low, id.lane);
  };
  return key(*this) <=> key(other);
}

absl::Status PeerChannel::send(const void *data, int64_t bytes,
                               cudaStream_t stream) const {
  if (bytes == 0)
    return absl::OkStatus();
  return nccl->toStatus(nccl->send(data, bytes, ncclInt8, 1, handle, stream),
                        "ncclSend", label, sender ? 0 : 1, 2, handle);
}

absl::Status PeerChannel::receive(void *data, int64_t bytes,
                                  cudaStream_t stream) const {
  if (bytes == 0)
    return absl::OkStatus();
  return nccl->toStatus(nccl->recv(data, bytes, ncclInt8, 0, handle, stream),
                        "ncclRecv", label, sender ? 0 : 1, 2, handle);
}

} // namespace orrery::runtime
