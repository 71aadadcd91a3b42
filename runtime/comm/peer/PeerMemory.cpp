// Mapping memory between processes, and meeting by flags.
#include "runtime/comm/peer/PeerMemory.h"

#include "absl/strings/str_cat.h"
#include "kernels/cuda/Peers.h"
#include "runtime/device/cuda/CudaStatus.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <unistd.h>

namespace orrery::runtime {
namespace {

absl::Status toStatus(cudaError_t error, absl::string_view call) {
  if (error != cudaSuccess)
    static_cast<void>(cudaGetLastError()); // the status says it
  return cuda::toStatus(error, call);
}

// What a rank shows of one allocation.
struct Shown {
  cudaIpcMemHandle_t handle = {};
  int64_t bytes = 0; // 0: nothing to be mapped
  uint64_t host = 0;
};
static_assert(sizeof(Shown) % sizeof(int64_t) == 0);

// The same on all ranks of one boot of one host.
uint64_t identifyHost() {
  std::array<char, 256> name = {};
  if (gethostname(name.data(), name.size() - 1) != 0)
    name[0] = '\0';
  std::string boot;
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::getline(file, boot);
  return std::hash<std::string>()(absl::StrCat(name.data(), "/", boot));
}

absl::Status show(Communicator &world, const Shown &own,
                  std::vector<Shown> &all) {
  all.resize(static_cast<size_t>(world.size()));
  return world.allGather(&own, all.data(), sizeof(Shown) / sizeof(int64_t),
                         plan::I64);
}

// Of a meeting's flags and rounds.
int64_t numberOf(int group, PeerPhase phase) {
  return group * 2 + (phase == PeerPhase::Done);
}

} // namespace

PeerMemory::~PeerMemory() {
  unmap();
  if (flags)
    static_cast<void>(cudaFree(flags));
}

absl::Status PeerMemory::createFlags(int groups, int ranks) {
  const int64_t meetings = int64_t(groups) * 2;
  flagWords = meetings * kernels::cuda::kMaxPeers;
  probes = flagWords + meetings;
  flagBytes = wholePeerBlocks((probes + ranks + 1) *
                              static_cast<int64_t>(sizeof(uint32_t)));
  void *memory = nullptr;
  absl::Status status =
      toStatus(cudaMalloc(&memory, static_cast<size_t>(flagBytes)),
               "cudaMalloc of flags");
  if (!status.ok())
    return status;
  flags = static_cast<uint32_t *>(memory);
  rounds = flags + flagWords;
  status = toStatus(cudaMemset(flags, 0, static_cast<size_t>(flagBytes)),
                    "cudaMemset of flags");
  if (status.ok())
    status = toStatus(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  return status;
}

absl::Status PeerMemory::open(Communicator &world,
                              std::span<const int32_t> peers, int groups) {
  Shown own = {{}, 0, identifyHost()};
  if (!peers.empty() && createFlags(groups, world.size()).ok() &&
      toStatus(cudaIpcGetMemHandle(&own.handle, flags), "handle of flags").ok())
    own.bytes = flagBytes;
  std::vector<Shown> all;
  if (absl::Status status = show(world, own, all); !status.ok())
    return status;
  for (int32_t rank : own.bytes ? peers : std::span<const int32_t>()) {
    const Shown &other = all[static_cast<size_t>(rank)];
    if (rank == world.rank() || other.bytes == 0 || other.host != own.host ||
        reaches(rank))
      continue;
    void *memory = nullptr;
    // Who cannot be reached is written to by other means.
    if (toStatus(cudaIpcOpenMemHandle(&memory, other.handle,
                                      cudaIpcMemLazyEnablePeerAccess),
                 "mapping of flags")
            .ok())
      flagsOf[rank] = static_cast<uint32_t *>(memory);
  }
  return probe(world);
}

// Drivers grant access on machines where it loses data. Every rank leaves its
// pattern with those that it reaches, and looks at theirs, here and there.
absl::Status PeerMemory::probe(Communicator &world) {
  auto pattern = [](int32_t rank) { return 0x5eed0000u + uint32_t(rank); };
  auto copy = [](uint32_t *to, const uint32_t *from) {
    return cudaMemcpyAsync(to, from, sizeof(uint32_t), cudaMemcpyDefault) ==
               cudaSuccess &&
           cudaDeviceSynchronize() == cudaSuccess;
  };
  const int32_t self = world.rank();
  const uint32_t mine = pattern(self);
  bool sent = flagsOf.empty() || copy(flags + probes + self, &mine);
  for (const auto &[rank, there] : flagsOf)
    sent &= copy(there + probes + self, flags + probes + self);
  if (absl::Status status = world.barrier(); !status.ok())
    return status;
  std::erase_if(flagsOf, [&](const auto &peer) {
    const auto [rank, there] = peer;
    uint32_t *fetched = flags + probes + world.size();
    uint32_t here = 0, far = 0;
    const bool same = sent && copy(&here, flags + probes + rank) &&
                      copy(fetched, there + probes + rank) &&
                      copy(&far, fetched) && here == pattern(rank) &&
                      far == pattern(rank);
    if (!same)
      static_cast<void>(cudaIpcCloseMemHandle(there));
    return !same;
  });
  static_cast<void>(cudaGetLastError());
  return world.barrier(); // nobody unmaps what another still looks at
}

absl::Status PeerMemory::map(Communicator &world,
                             std::span<const int32_t> ranks,
                             std::span<const DeviceBlock> blocks) {
  absl::Status mine; // told at the end: others wait in the next block
  for (const DeviceBlock &block : blocks) {
    Shown own;
    if (block.bytes > 0 && !ranks.empty() && mine.ok())
      mine = toStatus(cudaIpcGetMemHandle(&own.handle, block.begin),
                      "handle of device memory");
    if (mine.ok() && !ranks.empty())
      own.bytes = block.bytes;
    std::vector<Shown> all;
    if (absl::Status status = show(world, own, all); !status.ok())
      return status;
    for (int32_t rank : ranks) {
      const Shown &other = all[static_cast<size_t>(rank)];
      if (rank == world.rank() || other.bytes == 0 || own.bytes == 0 ||
          !mine.ok())
        continue;
      void *memory = nullptr;
      mine = toStatus(
          cudaIpcOpenMemHandle(&memory, other.handle,
                               cudaIpcMemLazyEnablePeerAccess),
          absl::StrCat("mapping ", other.bytes, " bytes of rank ", rank));
      if (mine.ok())
        mappings[rank].push_back({block.begin, std::min(own.bytes, other.bytes),
                                  static_cast<std::byte *>(memory)});
    }
  }
  return mine;
}

std::byte *PeerMemory::at(int32_t rank, const void *memory) const {
  const auto found = mappings.find(rank);
  if (found == mappings.end())
    return nullptr;
  const auto *byte = static_cast<const std::byte *>(memory);
  for (const Mapping &mapping : found->second)
    if (!std::less<>()(byte, mapping.here) &&
        std::less<>()(byte, mapping.here + mapping.bytes))
      return mapping.there + (byte - mapping.here);
  return nullptr;
}

absl::Status PeerMemory::meet(int group, PeerPhase phase,
                              std::span<const int32_t> ranks, int self,
                              cudaStream_t stream) const {
  kernels::cuda::PeerFlags meeting;
  meeting.members = static_cast<int>(ranks.size());
  meeting.self = self;
  meeting.round = rounds + numberOf(group, phase);
  const int64_t first = numberOf(group, phase) * kernels::cuda::kMaxPeers;
  for (int m = 0; m < meeting.members; ++m)
    meeting.words[m] =
        (m == self ? flags : flagsOf.at(ranks[static_cast<size_t>(m)])) + first;
  return toStatus(kernels::cuda::meetPeers(meeting, stream),
                  "meeting of a group");
}

void PeerMemory::release(std::span<const cudaStream_t> streams) const {
  using Clock = std::chrono::steady_clock;
  constexpr auto kLongest = std::chrono::seconds(5);
  if (!flags)
    return;
  cudaStream_t own = nullptr;
  if (cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking) != cudaSuccess)
    return;
  auto busy = [](cudaStream_t stream) {
    return cudaStreamQuery(stream) == cudaErrorNotReady;
  };
  const Clock::time_point end = Clock::now() + kLongest;
  // Again and again: members that are still there tell their own rounds.
  while (true) {
    static_cast<void>(cudaMemsetAsync(
        flags, kernels::cuda::kPassingByte,
        static_cast<size_t>(flagWords) * sizeof(uint32_t), own));
    if (Clock::now() >= end ||
        std::none_of(streams.begin(), streams.end(), busy))
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  static_cast<void>(cudaStreamDestroy(own));
  static_cast<void>(cudaGetLastError());
}

void PeerMemory::unmap() {
  for (const auto &[rank, memory] : flagsOf)
    static_cast<void>(cudaIpcCloseMemHandle(memory));
  for (const auto &[rank, parts] : mappings)
    for (const Mapping &mapping : parts)
      static_cast<void>(cudaIpcCloseMemHandle(mapping.there));
  flagsOf.clear();
  mappings.clear();
}

absl::Status PeerMemory::close(Communicator &world) {
  // No rank writes here any more, nor is written to.
  if (absl::Status status = world.barrier(); !status.ok())
    return status;
  unmap();
  return world.barrier();
}

} // namespace orrery::runtime
