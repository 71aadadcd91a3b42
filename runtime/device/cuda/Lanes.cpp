// Counting streams and listing channels.
#include "runtime/device/cuda/Lanes.h"

#include "absl/strings/str_cat.h"

#include <algorithm>

namespace orrery::runtime::cuda {
namespace {

const plan::Transfer *transferIn(const plan::Instruction &instruction) {
  if (instruction.has_send())
    return &instruction.send();
  return instruction.has_receive() ? &instruction.receive() : nullptr;
}

} // namespace

absl::StatusOr<PeerChannelId> Lanes::identify(const plan::Transfer &transfer,
                                              bool send) const {
  const plan::Communicator &communicator =
      rank->plan->communicators(static_cast<int>(transfer.communicator()));
  const std::vector<int32_t> group =
      rank->mesh.groupOf(communicator, rank->rank);
  const int64_t self =
      std::find(group.begin(), group.end(), rank->rank) - group.begin();
  const int64_t peer = self + transfer.delta();
  if (peer < 0 || peer >= static_cast<int64_t>(group.size()))
    return absl::OutOfRangeError(absl::StrCat(
        "rank ", rank->rank, ": a transfer of communicator '",
        communicator.name(), "' with delta ", transfer.delta(),
        " leads outside the group of ", group.size(), " from member ", self));
  const auto flow =
      std::find(flows.begin(), flows.end(),
                std::pair(transfer.communicator(), transfer.tag()));
  const int32_t other = group[static_cast<size_t>(peer)];
  return PeerChannelId{send ? rank->rank : other, send ? other : rank->rank,
                       static_cast<int32_t>(flow - flows.begin())};
}

absl::StatusOr<Lanes> Lanes::create(const RankPlan &rank) {
  Lanes lanes;
  lanes.rank = &rank;
  for (const plan::RankClass &rankClass : rank.plan->classes())
    for (const plan::Program &program : rankClass.programs())
      for (const plan::Instruction &instruction : program.instructions())
        if (const plan::Transfer *transfer = transferIn(instruction))
          lanes.flows.emplace_back(transfer->communicator(), transfer->tag());
  std::sort(lanes.flows.begin(), lanes.flows.end());
  lanes.flows.erase(std::unique(lanes.flows.begin(), lanes.flows.end()),
                    lanes.flows.end());
  for (const plan::Program &program : rank.rankClass->programs())
    for (const plan::Instruction &instruction : program.instructions()) {
      const plan::Transfer *transfer = transferIn(instruction);
      if (instruction.stream() >= kMaxStreams)
        return absl::OutOfRangeError(absl::StrCat(
            "program '", program.name(), "' has an instruction on stream ",
            instruction.stream(), "; streams are numbered from 0 to ",
            kMaxStreams - 1));
      if (!transfer) {
        lanes.streams =
            std::max(lanes.streams, static_cast<int>(instruction.stream()) + 1);
        continue;
      }
      absl::StatusOr<PeerChannelId> id =
          lanes.identify(*transfer, instruction.has_send());
      if (!id.ok())
        return id.status();
      if (std::find(lanes.ids.begin(), lanes.ids.end(), *id) == lanes.ids.end())
        lanes.ids.push_back(*id);
    }
  return lanes;
}

size_t Lanes::channelOf(const plan::Transfer &transfer, bool send) const {
  const PeerChannelId id = *identify(transfer, send);
  return static_cast<size_t>(std::find(ids.begin(), ids.end(), id) -
                             ids.begin());
}

int Lanes::laneOf(const plan::Instruction &instruction) const {
  if (const plan::Transfer *transfer = transferIn(instruction))
    return setup() + 1 +
           static_cast<int>(channelOf(*transfer, instruction.has_send()));
  return static_cast<int>(instruction.stream());
}

std::vector<std::string> Lanes::names() const {
  std::vector<std::string> names = {"compute"};
  for (int stream = 1; stream < streams; ++stream)
    names.push_back(absl::StrCat("stream ", stream));
  names.push_back("setup");
  for (const PeerChannelId &id : ids)
    names.push_back(id.from == rank->rank
                        ? absl::StrCat("send to rank ", id.to)
                        : absl::StrCat("receive from rank ", id.from));
  return names;
}

} // namespace orrery::runtime::cuda
