// Creating the channels of a rank.
#include "runtime/comm/nccl/NcclWorld.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <numeric>

namespace orrery::runtime {
namespace {

constexpr int kIdTag = 0x4e43; // of the host message with a channel's id
// Enough for a large part of an NVLink's rate, few enough to leave the matrix
// products beside it theirs.
constexpr int kChannelBlocks = 4;

std::string labelOf(const PeerChannelId &id) {
  return absl::StrCat("channel ", id.from, "->", id.to,
                      id.lane ? absl::StrCat(" lane ", id.lane) : "");
}

// `sorted`: this rank's channels in the order of creation.
absl::Status checkOwn(std::span<const PeerChannelId> sorted, int self,
                      int ranks) {
  for (size_t i = 0; i < sorted.size(); ++i) {
    const PeerChannelId &id = sorted[i];
    const bool exists = id.from >= 0 && id.from < ranks && id.to >= 0 &&
                        id.to < ranks && id.from != id.to;
    if (!exists || (id.from != self && id.to != self))
      return absl::InvalidArgumentError(
          absl::StrCat(labelOf(id), " cannot be one of rank ", self, " among ",
                       ranks, " ranks"));
    if (i > 0 && sorted[i - 1] == id)
      return absl::InvalidArgumentError(
          absl::StrCat(labelOf(id), " appears twice on rank ", self));
  }
  return absl::OkStatus();
}

// A missing channel would leave the other rank waiting for ever: pairs compare
// how many they have in each direction.
absl::Status checkPairs(Communicator &world,
                        std::span<const PeerChannelId> own) {
  struct Directions {
    int32_t out = 0, in = 0;
  };
  std::vector<Directions> mine(world.size()), theirs(world.size());
  for (const PeerChannelId &id : own)
    if (id.from == world.rank())
      ++mine[id.to].out;
    else
      ++mine[id.from].in;
  if (absl::Status status =
          world.allToAll(mine.data(), theirs.data(), 2, plan::I32);
      !status.ok())
    return status;
  for (int r = 0; r < world.size(); ++r)
    if (mine[r].out != theirs[r].in || mine[r].in != theirs[r].out)
      return absl::FailedPreconditionError(absl::StrCat(
          "rank ", world.rank(), " lists ", mine[r].out, " channels to rank ",
          r, ", which lists ", theirs[r].in, ", and ", mine[r].in,
          " from it, which lists ", theirs[r].out));
  return absl::OkStatus();
}

// The id, from the sender to the receiver; an all-zero id says that the sender
// has none.
absl::Status shareId(Communicator &world, const PeerChannelId &channel,
                     ncclUniqueId &id) {
  Communicator::Request request;
  const bool sends = channel.from == world.rank();
  absl::Status status =
      sends ? world.isend(&id, sizeof(id), channel.to, kIdTag, request)
            : world.irecv(&id, sizeof(id), channel.from, kIdTag, request);
  return status.ok() ? world.wait(request) : status;
}

bool isEmpty(const ncclUniqueId &id) {
  return std::all_of(std::begin(id.internal), std::end(id.internal),
                     [](char c) { return c == 0; });
}

} // namespace

absl::Status NcclWorld::connectChannel(Communicator &world,
                                       const PeerChannelId &id,
                                       PeerChannel &channel) {
  channel.channel = id;
  channel.label = labelOf(id);
  channel.sender = id.from == world.rank();
  channel.nccl = nccl;
  const int member = channel.sender ? 0 : 1;
  ncclUniqueId unique = {};
  absl::Status own;
  if (channel.sender)
    own = nccl->toStatus(nccl->getUniqueId(&unique), "ncclGetUniqueId",
                         channel.label, member, 2, nullptr);
  if (!own.ok())
    unique = {};
  absl::Status shared = shareId(world, id, unique);
  if (!own.ok())
    return own;
  if (!shared.ok())
    return shared;
  if (isEmpty(unique))
    return absl::UnavailableError(
        absl::StrCat("rank ", id.from, " has no NCCL id for ", channel.label));
  absl::StatusOr<ncclComm_t> handle =
      connect(channel.label, unique, member, 2, kChannelBlocks);
  if (!handle.ok())
    return handle.status();
  channel.handle = *handle;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PeerChannel>>
NcclWorld::createChannels(Communicator &world,
                          std::span<const PeerChannelId> ids) {
  std::vector<size_t> order(ids.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return ids[a] < ids[b]; });
  std::vector<PeerChannelId> sorted;
  for (size_t i : order)
    sorted.push_back(ids[i]);

  absl::Status own = checkOwn(sorted, world.rank(), world.size());
  if (own.ok() && !ids.empty())
    own = load();
  int32_t failed = !own.ok();
  absl::Status told =
      world.allReduce(&failed, &failed, 1, plan::I32, Reduction::Max);
  if (!own.ok())
    return own;
  if (!told.ok())
    return told;
  if (failed)
    return absl::UnavailableError(
        "another rank cannot create its channels; it says why");
  // All members of a pair find a difference, but not all ranks: agree again.
  own = checkPairs(world, sorted);
  failed = !own.ok();
  told = world.allReduce(&failed, &failed, 1, plan::I32, Reduction::Max);
  if (!own.ok())
    return own;
  if (!told.ok())
    return told;
  if (failed)
    return absl::FailedPreconditionError(
        "two other ranks disagree about their channels; they say how");

  std::vector<PeerChannel> channels(ids.size());
  std::vector<PeerChannel *> inOrder;
  for (size_t i : order) {
    if (absl::Status status = connectChannel(world, ids[i], channels[i]);
        !status.ok())
      return status;
    inOrder.push_back(&channels[i]);
  }
  if (absl::Status status = warmUpChannels(inOrder); !status.ok())
    return status;
  return channels;
}

} // namespace orrery::runtime
