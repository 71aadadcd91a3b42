// GPU memory of other ranks on this host, mapped into this process, so that
// copy engines write there while the multiprocessors go on with their work; and
// flags that ranks set for each other and that streams wait for.
//
//   open    the flags; tells which ranks can be reached
//   map     the memory that is written to, once it is there
//   …       PeerExchange
//   close   all ranks, when nothing runs: unmaps, before anyone frees
#ifndef ORRERY_RUNTIME_COMM_PEER_PEERMEMORY_H
#define ORRERY_RUNTIME_COMM_PEER_PEERMEMORY_H

#include "absl/status/status.h"
#include "runtime/comm/Communicator.h"

#include <cstddef>
#include <cstdint>
#include <cuda.h>
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

/// Where ranks meet: before the copies of an exchange, and behind them.
enum class PeerPhase { Ready, Done };

/// The calling thread's current device is the one that everything runs on.
class PeerMemory {
public:
  static constexpr int kMaxMembers = 64; // of a group

  PeerMemory() = default;
  ~PeerMemory();
  PeerMemory(const PeerMemory &) = delete;
  PeerMemory &operator=(const PeerMemory &) = delete;

  /// A collective over `world`. Makes flags for `groups` groups and maps those
  /// of `peers` (world ranks) that are on this host and can be reached; an
  /// error is one of `world` alone.
  absl::Status open(Communicator &world, std::span<const int32_t> peers,
                    int groups);
  bool reaches(int32_t rank) const { return flagsOf.contains(rank); }

  /// A collective over `world`: maps the same blocks of `ranks`, which reach
  /// this one as it reaches them. Every rank gives as many blocks; they may be
  /// of other sizes.
  absl::Status map(Communicator &world, std::span<const int32_t> ranks,
                   std::span<const DeviceBlock> blocks);
  /// The place in memory of `rank` that is where `memory` is here; null where
  /// that is in no block, or beyond the other's.
  std::byte *at(int32_t rank, const void *memory) const;

  /// Enqueues: tells the other members of a group that this one is here, and
  /// waits for all of them. `ranks` are the members, this one is `self`.
  absl::Status meet(int group, PeerPhase phase, std::span<const int32_t> ranks,
                    int self, cudaStream_t stream) const;

  /// Sets all flags of this rank, again and again, until the streams are idle
  /// or nothing moves for a while: for a rank that others have left.
  void release(std::span<const cudaStream_t> streams) const;

  /// Every rank of `world` comes here, with no work under way.
  absl::Status close(Communicator &world);

private:
  using BatchMemOp = CUresult (*)(CUstream, unsigned,
                                  CUstreamBatchMemOpParams *, unsigned);
  struct Mapping {
    const std::byte *here; // this rank's block
    int64_t bytes;         // of the smaller of the two
    std::byte *there;
  };

  absl::Status createFlags(int groups);
  static uint32_t *flag(uint32_t *flags, int group, PeerPhase phase,
                        int member);
  void unmap();

  BatchMemOp batch = nullptr;
  uint32_t *flags = nullptr; // [groups][phases][members]
  int64_t flagBytes = 0;
  std::map<int32_t, uint32_t *> flagsOf;
  std::map<int32_t, std::vector<Mapping>> mappings;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_PEER_PEERMEMORY_H
