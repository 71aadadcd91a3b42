// The CUDA streams of a rank, by number: which instruction runs on which.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_LANES_H
#define ORRERY_RUNTIME_DEVICE_CUDA_LANES_H

#include "absl/status/statusor.h"
#include "runtime/comm/nccl/PeerChannel.h"
#include "runtime/plan/RankPlan.h"

#include <string>
#include <vector>

namespace orrery::runtime::cuda {

/// | lane            | what runs there                                   |
/// |-----------------|---------------------------------------------------|
/// | 0               | the plan's stream 0                               |
/// | 1 … streams - 1 | the plan's other streams                          |
/// | setup()         | inputs, scalars, zeros for gradients of a step    |
/// | from setup() + 1| one for each channel to or from another rank      |
///
/// A channel is a sender, a receiver, and a communicator and tag of the plan:
/// messages of one channel are received in the order of sending, those of two
/// need not be.
class Lanes {
public:
  static constexpr uint32_t kMaxStreams = 16; // of a plan

  /// OutOfRange: a transfer leads outside its communicator, or a stream's
  /// number is too high.
  static absl::StatusOr<Lanes> create(const RankPlan &rank);

  int count() const { return streams + 1 + static_cast<int>(ids.size()); }
  int computing() const { return streams; }
  int setup() const { return streams; }
  const std::vector<PeerChannelId> &channels() const { return ids; }
  /// Index into `channels` of a send or receive of this rank's class.
  size_t channelOf(const plan::Transfer &transfer, bool send) const;
  int laneOf(const plan::Instruction &instruction) const;
  /// By lane: "compute", "stream 1", "setup", "send to rank 3", …
  std::vector<std::string> names() const;

private:
  const RankPlan *rank = nullptr;
  int streams = 1;
  // Of all classes of the plan, in order: a channel's PeerChannelId::lane.
  std::vector<std::pair<uint32_t, int32_t>> flows; // communicator, tag
  std::vector<PeerChannelId> ids;

  absl::StatusOr<PeerChannelId> identify(const plan::Transfer &transfer,
                                         bool send) const;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_LANES_H
