// Tests of messages by mapped memory of other GPUs: memory of all ranks that is
// mapped by all, and groups of them that use it.
#ifndef ORRERY_TEST_RUNTIME_COMM_NCCL_PEERRANKS_H
#define ORRERY_TEST_RUNTIME_COMM_NCCL_PEERRANKS_H

#include "absl/strings/str_cat.h"
#include "test/runtime/comm/nccl/DeviceRanks.h"

#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

namespace orrery::runtime {

constexpr int64_t kPeerTestBytes = 32 * kPeerBlockBytes;

/// What a rank works with. Groups of all ranks: `first` and `second` in the
/// order of the world, `backward` the other way round.
struct PeerRanks {
  const DeviceRank &r;
  const PeerMemory &memory;
  std::vector<int32_t> ranks; // 0, 1, …
  // `block` is as large everywhere; `uneven` is (1 + rank) * kPeerBlockBytes;
  // `partial` is absent on rank 0.
  DeviceBlock block, uneven, partial;
  DeviceGroup first, second;
  PeerExchange backward;

  int rank() const { return r.rank(); }
  int size() const { return r.size(); }
  /// The place in the block that is `bytes` behind its beginning.
  template <typename T = std::byte> T *at(int64_t bytes) const {
    return reinterpret_cast<T *>(block.begin + bytes);
  }
  /// Every byte of the block becomes 0xff; nothing may be under way.
  absl::Status poison() const {
    RETURN_IF_CUDA(cudaMemset(block.begin, 0xff, block.bytes));
    return cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }
  /// Waits for the streams, not for ever: a lost flag is an error.
  absl::Status finish(std::vector<cudaStream_t> streams) const;
  absl::Status finish() const { return finish({r.stream}); }
};

/// True once all streams are idle; false when they are not after `limit`.
inline bool becomesIdle(const std::vector<cudaStream_t> &streams,
                        std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (cudaStream_t stream : streams)
    while (cudaStreamQuery(stream) == cudaErrorNotReady) {
      if (std::chrono::steady_clock::now() > end)
        return false;
      std::this_thread::yield();
    }
  return true;
}

inline absl::Status PeerRanks::finish(std::vector<cudaStream_t> streams) const {
  if (becomesIdle(streams, std::chrono::seconds(20))) {
    for (cudaStream_t stream : streams)
      RETURN_IF_CUDA(cudaStreamSynchronize(stream)); // errors of the work
    return absl::OkStatus();
  }
  absl::Status late = absl::DeadlineExceededError(
      absl::StrCat("rank ", rank(), " waits for others that do not come"));
  memory.release(streams);
  // Freeing memory would wait for ever.
  if (!becomesIdle(streams, std::chrono::seconds(1)))
    r.factory.abort(late);
  return late;
}

/// Maps memory, makes groups, runs the body on all ranks, and unmaps; skips,
/// on all ranks, where one is not reached by another or alone.
template <typename Body>
absl::Status onAllPeers(const DeviceRank &r, Body &&body) {
  auto skip = [](const std::string &why) { GTEST_SKIP() << why; };
  if (r.size() == 1) {
    skip("one rank alone has no peers");
    return absl::OkStatus();
  }
  Communicator &world = r.factory.world();
  std::vector<int32_t> ranks(r.size());
  std::iota(ranks.begin(), ranks.end(), 0);
  PeerMemory memory;
  RETURN_IF_ERROR(memory.open(world, ranks, 3));
  int32_t unreached = -1; // the last one
  for (int32_t other : ranks)
    if (other != r.rank() && !memory.reaches(other))
      unreached = other;
  EXPECT_FALSE(memory.reaches(r.rank()));
  RETURN_IF_ERROR(
      world.allReduce(&unreached, &unreached, 1, plan::I32, Reduction::Max));
  if (unreached >= 0) {
    RETURN_IF_ERROR(memory.close(world));
    skip(absl::StrCat("rank ", unreached, " is not reached"));
    return absl::OkStatus();
  }
  PeerRanks p{r,
              memory,
              ranks,
              {},
              {},
              {},
              r.all,
              r.all,
              PeerExchange(memory, 2, {ranks.rbegin(), ranks.rend()},
                           r.size() - 1 - r.rank())};
  p.block.bytes = kPeerTestBytes;
  p.uneven.bytes = (1 + r.rank()) * kPeerBlockBytes;
  p.partial.bytes = r.rank() == 0 ? 0 : kPeerBlockBytes;
  for (DeviceBlock *block : {&p.block, &p.uneven, &p.partial})
    if (block->bytes > 0)
      RETURN_IF_CUDA(cudaMalloc(reinterpret_cast<void **>(&block->begin),
                                static_cast<size_t>(block->bytes)));
  const DeviceBlock blocks[] = {p.block, p.uneven, p.partial};
  RETURN_IF_ERROR(memory.map(world, ranks, blocks));
  p.first.usePeers(PeerExchange(memory, 0, ranks, r.rank()));
  p.second.usePeers(PeerExchange(memory, 1, ranks, r.rank()));
  absl::Status status = p.poison();
  if (status.ok())
    status = body(std::as_const(p));
  status.Update(memory.close(world));
  for (const DeviceBlock &block : blocks)
    status.Update(cuda(cudaFree(block.begin), "cudaFree"));
  return status;
}

/// As EXPECT_ON_ALL_DEVICES; the body takes a PeerRanks.
#define EXPECT_ON_ALL_PEERS(...)                                               \
  EXPECT_ON_ALL_DEVICES(                                                       \
      [](const DeviceRank &r) { return onAllPeers(r, __VA_ARGS__); })

} // namespace orrery::runtime

#endif // ORRERY_TEST_RUNTIME_COMM_NCCL_PEERRANKS_H
