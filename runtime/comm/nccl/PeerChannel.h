// A one-way channel for device memory between two ranks: an NCCL communicator
// of its own, so that a receive that waits holds up no send and no channel
// another.
#ifndef ORRERY_RUNTIME_COMM_NCCL_PEERCHANNEL_H
#define ORRERY_RUNTIME_COMM_NCCL_PEERCHANNEL_H

#include "absl/status/status.h"
#include "runtime/comm/nccl/NcclLibrary.h"

#include <compare>
#include <cstdint>
#include <cuda_runtime_api.h>
#include <string>

namespace orrery::runtime {

/// Which channel: world ranks, and a number that keeps channels between the
/// same ranks apart whose messages are not received in the order of sending.
struct PeerChannelId {
  int32_t from = 0;
  int32_t to = 0;
  int32_t lane = 0;

  bool operator==(const PeerChannelId &) const = default;
  /// The global order of creation, short chains first: with d = |to - from| by
  /// d, then by whether the lower rank is in an even or odd block of d ranks,
  /// then direction, ranks and lane. Pairs of one distance and evenness share
  /// no rank, so they come up side by side:
  ///   ranks 0-1  2-3  4-5   then   1-2  3-4
  std::strong_ordering operator<=>(const PeerChannelId &) const;
};

/// Made by NcclWorld, which owns the communicator behind it and must outlive
/// it. Cheap to copy.
///
/// Messages arrive in the order of the calls; both sides name the same number
/// of bytes. The methods enqueue on a stream and return; they may be captured
/// into a CUDA graph (thread-local or relaxed mode). Calls of one side must be
/// ordered among each other: on one stream, or on several with events between.
class PeerChannel {
public:
  PeerChannel() = default;

  PeerChannelId id() const { return channel; }

  /// Called by rank id().from.
  absl::Status send(const void *data, int64_t bytes, cudaStream_t stream) const;
  /// Called by rank id().to.
  absl::Status receive(void *data, int64_t bytes, cudaStream_t stream) const;

private:
  friend class NcclWorld;

  PeerChannelId channel;
  std::string label;
  bool sender = false;
  const NcclLibrary *nccl = nullptr;
  ncclComm_t handle = nullptr;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_NCCL_PEERCHANNEL_H
