// What the GPUs of a group do with each other's memory: parts are written to
// where they go, and read where they are added.
#ifndef ORRERY_RUNTIME_COMM_PEER_PEEREXCHANGE_H
#define ORRERY_RUNTIME_COMM_PEER_PEEREXCHANGE_H

#include "absl/status/statusor.h"
#include "kernels/cuda/Peers.h"
#include "runtime/comm/peer/PeerMemory.h"

#include <vector>

namespace orrery::runtime {

/// Of one group; its members' calls come in the same order, one behind the
/// other, with the same sizes, and what other members touch is at the same
/// place of the mapped blocks: the output of a gather, the input of a sum.
///
///   member 0  | ready, waits | writes to 1, 2, 3 | done, waits |
///   member 1  |              | writes to 2, 3, 0 |
///
/// What lies behind a call in stream order may use input and output again. May
/// be captured. Cheap to copy.
class PeerExchange {
public:
  static constexpr int kMaxMembers = kernels::cuda::kMaxPeers;

  /// `memory` must outlive it. `number`: of the group, below those of
  /// PeerMemory::open; `ranks`: world ranks of the members, at most
  /// kMaxMembers, `self` this one's place.
  PeerExchange(const PeerMemory &memory, int number, std::vector<int32_t> ranks,
               int self)
      : memory(&memory), number(number), ranks(std::move(ranks)), self(self) {}

  /// `bytes` at in + m * inDistance of this member come to out + self *
  /// outDistance of member m, of all members; distances in bytes. The own part
  /// may be in place. Internal: memory that others touch is not mapped.
  absl::Status exchange(const std::byte *in, int64_t inDistance, std::byte *out,
                        int64_t outDistance, int64_t bytes,
                        cudaStream_t stream) const;
  /// out[i] = reduction over members of in[self * count + i] of member m, in
  /// their order (kernels/cuda/Peers.h); `out` may be the own part of `in`.
  absl::Status reduceScatter(std::byte *in, std::byte *out, int64_t count,
                             plan::ElementType type, Reduction reduction,
                             cudaStream_t stream) const;

private:
  // Where `bytes` from `own` on are in the members' memory.
  absl::StatusOr<kernels::cuda::PeerPlaces> placesOf(std::byte *own,
                                                     int64_t bytes) const;
  absl::Status meet(PeerPhase phase, cudaStream_t stream) const {
    return memory->meet(number, phase, ranks, self, stream);
  }

  const PeerMemory *memory;
  int number;
  std::vector<int32_t> ranks;
  int self;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_PEER_PEEREXCHANGE_H
