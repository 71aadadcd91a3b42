// GPU memory of other ranks on this host, mapped into this process, so that it
// is used like the own; and flags that ranks set for each other.
//
//   open    the flags; tells which ranks can be reached
//   map     the memory that is used, once it is there
//   …       PeerExchange
//   close   all ranks, when nothing runs: unmaps, before anyone frees
#ifndef ORRERY_RUNTIME_COMM_PEER_PEERMEMORY_H
#define ORRERY_RUNTIME_COMM_PEER_PEERMEMORY_H

#include "absl/status/status.h"
#include "runtime/comm/Communicator.h"

#include <cstddef>
#include <cstdint>
#include <cuda_runtime_api.h>
#include <map>
#include <span>
#include <vector>

namespace orrery::runtime {

/// An allocation of its own: cudaMalloc's, a multiple of kPeerBlockBytes, so
/// that what is mapped elsewhere holds nothing else.
struct DeviceBlock {
  std::byte *begin = nullptr;
  int64_t bytes = 0;
};
constexpr int64_t kPeerBlockBytes = int64_t(2) << 20;
constexpr int64_t wholePeerBlocks(int64_t bytes) {
  return (bytes + kPeerBlockBytes - 1) / kPeerBlockBytes * kPeerBlockBytes;
}

/// Where ranks meet: before they use each other's memory, and behind it.
enum class PeerPhase { Ready, Done };

/// The calling thread's current device is the one that everything runs on.
class PeerMemory {
public:
  PeerMemory() = default;
  ~PeerMemory();
  PeerMemory(const PeerMemory &) = delete;
  PeerMemory &operator=(const PeerMemory &) = delete;

  /// A collective over `world`. Makes flags for `groups` groups and maps those
  /// of `peers` (world ranks) that are on this host and can be reached, seen by
  /// data that passes; an error is one of `world` alone.
  absl::Status open(Communicator &world, std::span<const int32_t> peers,
                    int groups);
  bool reaches(int32_t rank) const { return flagsOf.contains(rank); }

  /// A collective over `world`: maps the same blocks of `ranks`, which reach
  /// this one as it reaches them. Every rank gives as many blocks; they may be
  /// of other sizes. A rank that fails has met the others in every block.
  absl::Status map(Communicator &world, std::span<const int32_t> ranks,
                   std::span<const DeviceBlock> blocks);
  /// The place in memory of `rank` that is where `memory` is here; null where
  /// that is in no block, or beyond the other's.
  std::byte *at(int32_t rank, const void *memory) const;

  /// Enqueues: tells the other members of a group that this one is here, and
  /// waits for all of them. `ranks` are the members, this one is `self`.
  absl::Status meet(int group, PeerPhase phase, std::span<const int32_t> ranks,
                    int self, cudaStream_t stream) const;

  /// Lets every meeting of this rank pass and waits until the streams are idle,
  /// 5 s at most: for a rank that others have left. Without streams it waits
  /// for nothing: meetings under way pass.
  void release(std::span<const cudaStream_t> streams) const;

  /// Every rank of `world` comes here, with no work under way.
  absl::Status close(Communicator &world);

private:
  struct Mapping {
    const std::byte *here; // this rank's block
    int64_t bytes;         // of the smaller of the two
    std::byte *there;
  };

  absl::Status createFlags(int groups, int ranks);
  absl::Status probe(Communicator &world);
  void unmap();

  uint32_t *flags = nullptr;  // [groups][phases][members]
  uint32_t *rounds = nullptr; // [groups][phases], behind the flags
  int64_t probes = 0; // behind the rounds: words of [ranks], and one more
  int64_t flagWords = 0, flagBytes = 0; // the bytes of all
  std::map<int32_t, uint32_t *> flagsOf;
  std::map<int32_t, std::vector<Mapping>> mappings;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_PEER_PEERMEMORY_H
