// Messages between the GPUs of a group by copies from memory to memory.
#ifndef ORRERY_RUNTIME_COMM_PEER_PEEREXCHANGE_H
#define ORRERY_RUNTIME_COMM_PEER_PEEREXCHANGE_H

#include "runtime/comm/peer/PeerMemory.h"

#include "absl/status/statusor.h"

#include <memory>
#include <string>

namespace orrery::runtime {

/// Of one group; its members' calls come in the same order, one behind the
/// other, with the same sizes and at the same places of the mapped blocks.
///
///   member 0  | ready, waits | copies to 1, 2, 3 | done, waits |
///   member 1  |              | copies to 2, 3, 0 |
///
/// What a member receives is there behind `exchange` in stream order, and what
/// lies behind it may use the memory again.
class PeerExchange {
public:
  /// `memory` must outlive it. `number`: of the group, below those of
  /// PeerMemory::open; `ranks`: world ranks of the members, `self` this one's
  /// place.
  static absl::StatusOr<std::shared_ptr<const PeerExchange>>
  create(const PeerMemory &memory, int number, std::vector<int32_t> ranks,
         int self);
  ~PeerExchange();
  PeerExchange(const PeerExchange &) = delete;
  PeerExchange &operator=(const PeerExchange &) = delete;

  int size() const { return static_cast<int>(ranks.size()); }
  int self() const { return own; }

  /// Member m's `bytes` at in + self * inDistance come to out + m *
  /// outDistance, of all members; distances in bytes. The own part is copied,
  /// too, where it is not in place; with `ownPart` false it is left out.
  /// `out` is in mapped memory: else Internal. May be captured.
  absl::Status exchange(const std::byte *in, int64_t inDistance, std::byte *out,
                        int64_t outDistance, int64_t bytes, bool ownPart,
                        cudaStream_t stream) const;

private:
  PeerExchange() = default;
  absl::Status copyOwn(const std::byte *in, std::byte *out, int64_t bytes,
                       cudaStream_t stream) const;

  const PeerMemory *memory = nullptr;
  int number = 0;
  std::vector<int32_t> ranks;
  int own = 0;
  // The own part goes beside the others' on a stream of its own.
  cudaStream_t side = nullptr;
  cudaEvent_t fork = nullptr, join = nullptr;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_PEER_PEEREXCHANGE_H
