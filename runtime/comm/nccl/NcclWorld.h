// The NCCL communicators of this process, from their creation to their end.
//
// Created eagerly, before the arena, so that their memory is known:
//
//   createGroup      for each communicator of the plan, in its order
//   createChannels   once, every channel of this rank
//   warmUp           each distinct collective of the plan once: NCCL connects
//                    an algorithm's buffers when it first runs
//   …                captures and replays; wait() for their end
//   close            all ranks, when no captured graph is left: NCCL waits for
//                    the end of every graph that holds one of its calls
#ifndef ORRERY_RUNTIME_COMM_NCCL_NCCLWORLD_H
#define ORRERY_RUNTIME_COMM_NCCL_NCCLWORLD_H

#include "absl/status/statusor.h"
#include "runtime/comm/nccl/DeviceCall.h"
#include "runtime/comm/nccl/PeerChannel.h"

#include <memory>
#include <span>
#include <vector>

namespace orrery::runtime {

/// The calling thread's current device is the one that everything runs on.
class NcclWorld {
public:
  /// Loads nothing yet: a plan whose groups have one member needs no NCCL.
  NcclWorld() = default;
  /// Gives up what close() has not ended, without waiting for other ranks.
  ~NcclWorld();
  NcclWorld(const NcclWorld &) = delete;
  NcclWorld &operator=(const NcclWorld &) = delete;

  /// Opens NCCL, which the rest does where it is needed. Ranks that agree
  /// behind this know that a group will not fail for lack of it.
  absl::Status load();

  /// Members, their order and the name are those of `host`, through which they
  /// agree. Called by all members.
  absl::StatusOr<DeviceGroup> createGroup(Communicator &host);

  /// This rank's channels, each once, in any order; the result is in the order
  /// of `ids`. Called by all ranks of `world`. InvalidArgument when a channel
  /// is not this rank's, leads to itself, or appears twice; FailedPrecondition
  /// when two ranks do not list the same number of channels between them.
  absl::StatusOr<std::vector<PeerChannel>>
  createChannels(Communicator &world, std::span<const PeerChannelId> ids);

  /// Runs each distinct call once, in order, on memory that is free again
  /// afterwards. Members of a group list its calls in the same order. Aborts
  /// after an error.
  absl::Status warmUp(std::span<const DeviceCall> calls);

  /// Errors that appeared since enqueuing, such as another rank's end.
  absl::Status checkAsync() const;

  /// Waits for `event`, returning early with an error of checkAsync; then
  /// abort() must come before anything that waits for the device, such as
  /// freeing its memory.
  absl::Status wait(cudaEvent_t event) const;

  /// Ends what is running on the device, without waiting for other ranks;
  /// everything is unusable then. Captured graphs are destroyed before it, as
  /// before close().
  absl::Status abort();

  /// Frees the communicators; every rank of `world` comes here, with no work
  /// under way.
  absl::Status close(Communicator &world);

private:
  struct Entry {
    std::string label;
    int member;
    int members;
    ncclComm_t handle;
  };

  // `maxBlocks`: the most thread blocks that a call occupies, and with them the
  // communicator's buffers; 0: as many as NCCL finds fastest.
  absl::StatusOr<ncclComm_t> connect(const std::string &label,
                                     const ncclUniqueId &id, int member,
                                     int members, int maxBlocks);
  absl::Status connectChannel(Communicator &world, const PeerChannelId &id,
                              PeerChannel &channel);
  // Sends one byte through each, in order: NCCL allocates a channel's buffers
  // when it is first used.
  absl::Status warmUpChannels(std::span<PeerChannel *const> channels);

  const NcclLibrary *nccl = nullptr; // null: nothing needed it yet
  std::vector<Entry> entries;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_NCCL_NCCLWORLD_H
