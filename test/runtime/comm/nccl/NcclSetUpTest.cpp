// What leads to communicators: places on hosts, the order of channels, refused
// lists; and mapping that fails. Needs no GPU.
#include "runtime/comm/local/LocalWorld.h"
#include "runtime/comm/nccl/LocalRank.h"
#include "runtime/comm/nccl/NcclWorld.h"
#include "runtime/comm/peer/PeerMemory.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <vector>

namespace orrery::runtime {
namespace {

TEST(LocalRank, CountsRanksOfOneHostInOrder) {
  const std::vector<std::string> hosts = {"a", "b", "a", "b", "a"};
  const int ranks[] = {0, 0, 1, 1, 2}, sizes[] = {3, 2, 3, 2, 3};
  for (int r = 0; r < 5; ++r) {
    LocalRank local = localRankAmong(hosts, r);
    EXPECT_EQ(local.rank, ranks[r]) << r;
    EXPECT_EQ(local.size, sizes[r]) << r;
  }
}

TEST(LocalRank, ThreadsAreRanksOfOneHost) {
  absl::Status status =
      runLocalRanks(3, [](CommunicatorFactory &f) -> absl::Status {
        absl::StatusOr<LocalRank> local = findLocalRank(f.world());
        if (!local.ok())
          return local.status();
        EXPECT_EQ(local->rank, f.rank());
        EXPECT_EQ(local->size, 3);
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
}

// Both ways between all neighbours at a distance, two lanes.
std::vector<PeerChannelId> channelsOf(int ranks, int distance) {
  std::vector<PeerChannelId> ids;
  for (int r = 0; r + distance < ranks; ++r)
    for (int lane : {0, 1}) {
      ids.push_back({r, r + distance, lane});
      ids.push_back({r + distance, r, lane});
    }
  return ids;
}

TEST(PeerChannelId, OrderIsTotal) {
  std::vector<PeerChannelId> ids;
  for (int distance : {1, 2, 3, 7})
    for (const PeerChannelId &id : channelsOf(12, distance))
      ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (size_t i = 1; i < ids.size(); ++i) {
    EXPECT_TRUE(ids[i - 1] < ids[i]) << i;
    EXPECT_FALSE(ids[i] < ids[i - 1]) << i;
    EXPECT_FALSE(ids[i - 1] == ids[i]) << i;
  }
}

// Each rank creates its own channels in the global order, and both ends of one
// at the same time: the number of turns is that of one rank's channels at most,
// not of all ranks'.
TEST(PeerChannelId, LongPipelinesComeUpInFewTurns) {
  for (int distance : {1, 4}) {
    const int ranks = 64;
    std::vector<PeerChannelId> ids = channelsOf(ranks, distance);
    std::sort(ids.begin(), ids.end());
    std::vector<int> free(ranks, 0);
    int turns = 0;
    for (const PeerChannelId &id : ids) {
      const int turn = std::max(free[id.from], free[id.to]);
      free[id.from] = free[id.to] = turn + 1;
      turns = std::max(turns, turn + 1);
    }
    EXPECT_EQ(turns, 8) << "distance " << distance;
  }
}

// What every rank says to lists of channels, by rank.
std::vector<absl::Status>
answers(int ranks,
        const std::function<std::vector<PeerChannelId>(int)> &listOf) {
  std::vector<absl::Status> all(ranks);
  absl::Status status = runLocalRanks(ranks, [&](CommunicatorFactory &f) {
    NcclWorld nccl;
    all[f.rank()] = nccl.createChannels(f.world(), listOf(f.rank())).status();
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return all;
}

std::string textOf(const absl::Status &status) {
  return std::string(status.message());
}

TEST(NcclWorld, RefusesAnotherRanksChannelOnAllRanks) {
  auto all = answers(3, [](int rank) -> std::vector<PeerChannelId> {
    if (rank == 2)
      return {{0, 1, 0}};
    return {};
  });
  EXPECT_EQ(textOf(all[2]),
            "channel 0->1 cannot be one of rank 2 among 3 ranks");
  EXPECT_EQ(all[0].code(), absl::StatusCode::kUnavailable) << all[0];
  EXPECT_EQ(all[1].code(), absl::StatusCode::kUnavailable) << all[1];
}

TEST(NcclWorld, RefusesAChannelTwice) {
  auto all = answers(2, [](int) -> std::vector<PeerChannelId> {
    return {{0, 1, 3}, {1, 0, 0}, {0, 1, 3}};
  });
  EXPECT_EQ(textOf(all[1]), "channel 0->1 lane 3 appears twice on rank 1");
}

TEST(NcclWorld, RefusesChannelsThatOneEndLacks) {
  if (absl::Status status = NcclLibrary::load().status(); !status.ok())
    GTEST_SKIP() << status.message();
  auto all = answers(3, [](int rank) -> std::vector<PeerChannelId> {
    if (rank == 0)
      return {{0, 1, 0}, {1, 0, 0}};
    if (rank == 1)
      return {{0, 1, 0}};
    return {};
  });
  EXPECT_EQ(textOf(all[0]), "rank 0 lists 1 channels to rank 1, which lists 1, "
                            "and 1 from it, which lists 0");
  EXPECT_EQ(textOf(all[1]), "rank 1 lists 0 channels to rank 0, which lists 1, "
                            "and 1 from it, which lists 1");
  EXPECT_EQ(all[2].code(), absl::StatusCode::kFailedPrecondition) << all[2];
}

TEST(NcclWorld, NeedsNoNcclForGroupsOfOne) {
  absl::Status status =
      runLocalRanks(1, [](CommunicatorFactory &f) -> absl::Status {
        NcclWorld nccl;
        absl::StatusOr<DeviceGroup> group = nccl.createGroup(f.world());
        if (!group.ok())
          return group.status();
        EXPECT_EQ(group->size(), 1);
        EXPECT_EQ(group->name(), "world");
        DeviceCall call{&*group, DeviceCall::Kind::AllGather, Reduction::Sum,
                        plan::BF16, 100};
        if (absl::Status warm = nccl.warmUp({&call, 1}); !warm.ok())
          return warm;
        return nccl.close(f.world());
      });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(DeviceCall, CountsBytesOfTheLargerSide) {
  DeviceGroup one;
  DeviceCall call{&one, DeviceCall::Kind::AllReduce, Reduction::Sum, plan::F64,
                  int64_t(1) << 32};
  EXPECT_EQ(call.bytes(), int64_t(1) << 35);
  call.type = plan::F16;
  EXPECT_EQ(call.bytes(), int64_t(1) << 33);
}

TEST(NcclLibrary, ErrorsNameCallGroupAndMember) {
  auto library = NcclLibrary::load();
  if (!library.ok())
    GTEST_SKIP() << library.status().message();
  absl::Status status = (*library)->toStatus(
      ncclInvalidArgument, "ncclAllReduce", "tp", 1, 4, nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message().find(
                "ncclAllReduce on 'tp', member 1 of 4: invalid argument"),
            0u)
      << status;
  EXPECT_TRUE((*library)
                  ->toStatus(ncclInProgress, "ncclSend", "tp", 0, 2, nullptr)
                  .ok());
}

// Rank 0 has a block that no GPU has, first of two; the others have none.
// Nobody is left waiting.
TEST(PeerMemory, MeetsInEveryBlockWhereOneFails) {
  absl::StatusCode codes[3];
  absl::Status status =
      runLocalRanks(3, [&](CommunicatorFactory &f) -> absl::Status {
        const std::vector<int32_t> ranks = {0, 1, 2};
        std::vector<std::byte> elsewhere(16);
        DeviceBlock blocks[2];
        if (f.rank() == 0)
          blocks[0] = {elsewhere.data(), 16};
        PeerMemory memory;
        codes[f.rank()] = memory.map(f.world(), ranks, blocks).code();
        return f.world().barrier();
      });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(codes[0], absl::StatusCode::kInternal);
  EXPECT_EQ(codes[1], absl::StatusCode::kOk);
  EXPECT_EQ(codes[2], absl::StatusCode::kOk);
}

} // namespace
} // namespace orrery::runtime
