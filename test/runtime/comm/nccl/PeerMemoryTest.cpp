// Mapped memory of other ranks: what is in it, what lies outside of it, and
// flags that are neither lost nor taken for later ones.
#include "runtime/comm/nccl/DeviceCall.h"
#include "test/runtime/comm/nccl/PeerRanks.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace orrery::runtime {
namespace {

using std::chrono::milliseconds;

TEST(PeerMemory, IsNowhereOutsideOfBlocks) {
  EXPECT_ON_ALL_PEERS([](const PeerRanks &p) -> absl::Status {
    DeviceArray<uint8_t> elsewhere(1);
    // Blocks may lie side by side: what is beyond one may be another.
    const std::byte *lowest = p.block.begin, *end = lowest;
    for (const DeviceBlock &block : {p.block, p.uneven, p.partial}) {
      if (block.bytes == 0)
        continue;
      lowest = std::min<const std::byte *>(lowest, block.begin);
      end = std::max<const std::byte *>(end, block.begin + block.bytes);
    }
    for (int32_t other : p.ranks) {
      SCOPED_TRACE(testing::Message() << "rank " << other);
      auto at = [&](const void *memory) { return p.memory.at(other, memory); };
      EXPECT_EQ(at(nullptr), nullptr);
      EXPECT_EQ(at(elsewhere.data()), nullptr);
      EXPECT_EQ(at(lowest - 1), nullptr);
      EXPECT_EQ(at(end), nullptr);
      if (other == p.rank()) {
        EXPECT_EQ(at(p.block.begin), nullptr);
        continue;
      }
      std::byte *there = at(p.block.begin);
      EXPECT_NE(there, nullptr);
      EXPECT_NE(there, p.block.begin);
      EXPECT_EQ(at(p.block.begin + 12345), there + 12345);
      EXPECT_EQ(at(p.block.begin + p.block.bytes - 1),
                there + p.block.bytes - 1);
      const int64_t common =
          (1 + std::min(other, int32_t(p.rank()))) * kPeerBlockBytes;
      std::byte *uneven = at(p.uneven.begin);
      EXPECT_NE(uneven, nullptr);
      EXPECT_EQ(at(p.uneven.begin + common - 1), uneven + common - 1);
      if (common < p.uneven.bytes) {
        EXPECT_EQ(at(p.uneven.begin + common), nullptr);
      }
      if (p.rank() > 0) {
        EXPECT_EQ(at(p.partial.begin) != nullptr, other > 0);
      }
    }
    EXPECT_EQ(p.memory.at(p.size(), p.block.begin), nullptr);
    EXPECT_EQ(p.memory.at(-1, p.block.begin), nullptr);
    return absl::OkStatus();
  });
}

// What others write or read must be mapped. Before any meeting: ranks are
// refused other numbers of calls and do not wait for each other; what comes
// behind is not disturbed.
TEST(PeerExchange, RefusesMemoryThatIsNotMapped) {
  EXPECT_ON_ALL_PEERS([](const PeerRanks &p) -> absl::Status {
    using Kind = DeviceCall::Kind;
    const int64_t count = 100;
    DeviceArray<int32_t> in(std::vector<int32_t>(count * p.size(), p.rank()));
    DeviceArray<int32_t> out(count * p.size());
    RETURN_IF_CUDA(cudaDeviceSynchronize());
    auto refused = [&](const DeviceGroup &group, Kind kind, const void *from,
                       void *to) {
      const DeviceCall call = {&group, kind, Reduction::Sum, plan::I32, count};
      absl::Status status = call.run(from, to, p.r.stream);
      EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    };
    // All but rank 0 have memory for the whole part, which rank 0 has not.
    void *beyond = out.data();
    if (p.rank() > 0)
      beyond = p.uneven.begin + kPeerBlockBytes - 4 - p.rank() * count * 4;
    for (int i = 0; i < 1 + 2 * p.rank(); ++i) {
      refused(p.first, Kind::AllGather, in.data(), out.data());
      refused(p.first, Kind::AllToAll, p.at(0), out.data());
      refused(p.first, Kind::ReduceScatter, in.data(), p.at(0));
      refused(p.second, Kind::AllGather, in.data(), beyond);
    }
    RETURN_IF_ERROR(p.finish()); // nobody waits for others
    for (int32_t x : out.get())
      EXPECT_EQ(x, -1);
    std::vector<int32_t> all(count * p.size());
    for (const DeviceGroup *group : {&p.first, &p.second}) {
      RETURN_IF_ERROR(p.poison());
      RETURN_IF_ERROR(
          group->allGather(in.data(), p.at(0), count, plan::I32, p.r.stream));
      RETURN_IF_ERROR(p.finish());
      RETURN_IF_CUDA(cudaMemcpy(all.data(), p.at(0), all.size() * 4,
                                cudaMemcpyDeviceToHost));
      for (int64_t i = 0; i < count * p.size(); ++i)
        EXPECT_EQ(all[i], i / count) << i;
    }
    return absl::OkStatus();
  });
}

// Sleeps now and then, another rank every time, between what lies on a stream.
struct Delay {
  std::mt19937 random;
  int rank, size, calls = 0;

  Delay(int rank, int size, int number)
      : random(number * 100 + rank), rank(rank), size(size) {}
  void sleep() {
    const int microseconds = static_cast<int>(random() % 1500);
    if (++calls / 2 % size == rank || random() % 8 == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  }
  absl::Status enqueue(cudaStream_t stream) {
    return cuda(cudaLaunchHostFunc(
                    stream,
                    [](void *delay) { static_cast<Delay *>(delay)->sleep(); },
                    this),
                "cudaLaunchHostFunc");
  }
};

// Page-locked memory for all rounds.
struct Rounds {
  int64_t count; // of a round
  int32_t *values = nullptr;

  Rounds(int rounds, int64_t count) : count(count) {
    EXPECT_EQ(cudaMallocHost(reinterpret_cast<void **>(&values),
                             rounds * count * sizeof(int32_t)),
              cudaSuccess);
  }
  ~Rounds() { EXPECT_EQ(cudaFreeHost(values), cudaSuccess); }
  Rounds(const Rounds &) = delete;
  Rounds &operator=(const Rounds &) = delete;
  int32_t *operator[](int round) const { return values + round * count; }
  size_t bytes() const { return count * sizeof(int32_t); }
};

// Element i that a member sends in a round: another one every time.
int32_t sentValue(int member, int round, int64_t i) {
  return static_cast<int32_t>((member * 40009 + round * 9973 + i * 31) %
                              1000003);
}

// Several calls in a row on the rank's stream, and others of the second group
// beside them.
class Chain {
public:
  static constexpr int64_t kCount = 5003, kApart = 5011, kBeside = 9001;

  explicit Chain(const PeerRanks &p)
      : p(p), n(p.size()), out(outputs()),
        delays{{p.rank(), n, 1}, {p.rank(), n, 2}, {p.rank(), n, 3}} {
    EXPECT_EQ(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking),
              cudaSuccess);
    for (cudaEvent_t *event : {&fork, &join})
      EXPECT_EQ(cudaEventCreateWithFlags(event, cudaEventDisableTiming),
                cudaSuccess);
  }
  ~Chain() {
    for (cudaEvent_t event : {fork, join})
      EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(side), cudaSuccess);
  }

  int64_t inputs() const { return n * kBeside; }
  // [gathered][scattered][exchanged][whole][apart] [gathered, scattered beside]
  int64_t outputs() const {
    return 3 * n * kCount + n * kApart + kCount + n * kBeside + kBeside;
  }
  // Mapped, misaligned, behind the outputs.
  int32_t *input() const { return p.at<int32_t>(kPeerTestBytes / 2 + 12); }
  std::vector<cudaStream_t> streams() const { return {p.r.stream, side}; }

  absl::Status enqueue() {
    cudaStream_t main = p.r.stream;
    RETURN_IF_CUDA(cudaEventRecord(fork, main));
    RETURN_IF_CUDA(cudaStreamWaitEvent(side, fork, 0));
    RETURN_IF_ERROR(enqueueBeside());
    RETURN_IF_ERROR(run(DeviceCall::Kind::AllGather, input(), gathered()));
    RETURN_IF_ERROR(delays[0].enqueue(main));
    RETURN_IF_ERROR(run(DeviceCall::Kind::ReduceScatter, input(), scattered()));
    RETURN_IF_ERROR(run(DeviceCall::Kind::AllToAll, input(), exchanged()));
    // The sums of all, in place, from the own one; then apart.
    int32_t *own = whole() + p.rank() * kCount;
    RETURN_IF_ERROR(run(DeviceCall::Kind::ReduceScatter, input(), own));
    RETURN_IF_ERROR(run(DeviceCall::Kind::AllGather, own, whole()));
    RETURN_IF_ERROR(delays[1].enqueue(main));
    RETURN_IF_ERROR(run(DeviceCall::Kind::AllGather, own, apart(), kApart));
    RETURN_IF_CUDA(cudaEventRecord(join, side));
    RETURN_IF_CUDA(cudaStreamWaitEvent(main, join, 0));
    return cuda(cudaMemcpyAsync(out.data(), gathered(), out.bytes(),
                                cudaMemcpyDeviceToDevice, main),
                "copy of the results");
  }
  /// Results, behind enqueue in stream order.
  const int32_t *results() const { return out.data(); }

  /// The first wrong element is a failure.
  void check(const int32_t *actual, int round) const {
    auto sum = [&](int64_t i) {
      int64_t total = 0;
      for (int m = 0; m < n; ++m)
        total += sentValue(m, round, i);
      return static_cast<int32_t>(total);
    };
    const int rank = p.rank();
    const int32_t *at = actual;
    auto expect = [&](int64_t count, const char *what, auto expected) {
      for (int64_t i = 0; i < count; ++i)
        if (at[i] != expected(i)) {
          ADD_FAILURE() << what << " " << i << " of round " << round << ": "
                        << at[i] << " for " << expected(i);
          break;
        }
      at += count;
    };
    auto gather = [&](int64_t count) {
      return [=](int64_t i) {
        return sentValue(static_cast<int>(i / count), round, i % count);
      };
    };
    expect(n * kCount, "gathered", gather(kCount));
    expect(kCount, "scattered",
           [&](int64_t i) { return sum(rank * kCount + i); });
    expect(n * kCount, "exchanged", [&](int64_t i) {
      return sentValue(static_cast<int>(i / kCount), round,
                       rank * kCount + i % kCount);
    });
    expect(n * kCount, "whole", sum);
    expect(n * kApart, "apart", [&](int64_t i) {
      return i % kApart < kCount ? sum(i / kApart * kCount + i % kApart) : -1;
    });
    expect(n * kBeside, "gathered beside", gather(kBeside));
    expect(kBeside, "scattered beside",
           [&](int64_t i) { return sum(rank * kBeside + i); });
  }

private:
  int32_t *gathered() const { return p.at<int32_t>(4); }
  int32_t *scattered() const { return gathered() + n * kCount; }
  int32_t *exchanged() const { return scattered() + kCount; }
  int32_t *whole() const { return exchanged() + n * kCount; }
  int32_t *apart() const { return whole() + n * kCount; }
  int32_t *gatheredBeside() const { return apart() + n * kApart; }
  int32_t *scatteredBeside() const { return gatheredBeside() + n * kBeside; }

  absl::Status run(DeviceCall::Kind kind, const int32_t *from, int32_t *to,
                   int64_t distance = 0) const {
    const DeviceCall call = {&p.first,  kind,   Reduction::Sum,
                             plan::I32, kCount, distance};
    EXPECT_TRUE(call.goesByPeers());
    return call.run(from, to, p.r.stream);
  }
  absl::Status enqueueBeside() {
    const DeviceCall gather = {&p.second, DeviceCall::Kind::AllGather,
                               Reduction::Sum, plan::I32, kBeside};
    const DeviceCall scatter = {&p.second, DeviceCall::Kind::ReduceScatter,
                                Reduction::Sum, plan::I32, kBeside};
    RETURN_IF_ERROR(gather.run(input(), gatheredBeside(), side));
    RETURN_IF_ERROR(delays[2].enqueue(side));
    return scatter.run(input(), scatteredBeside(), side);
  }

  const PeerRanks &p;
  const int n;
  DeviceArray<int32_t> out;
  Delay delays[3];
  cudaStream_t side = nullptr;
  cudaEvent_t fork = nullptr, join = nullptr;
};

// Rounds go on without the host: inputs are uploaded and results downloaded on
// the stream, and ranks are late in turn. Every round's values are checked.
absl::Status runRounds(const PeerRanks &p, int rounds, bool captured) {
  constexpr int kAtOnce = 10; // rounds under way
  Chain chain(p);
  Rounds inputs(kAtOnce, chain.inputs()), results(kAtOnce, chain.outputs());
  CapturedGraph graph;
  if (captured)
    RETURN_IF_ERROR(graph.capture(p.r.stream, [&] { return chain.enqueue(); }));
  Delay host(p.rank(), p.size(), 4);
  for (int first = 0; first < rounds; first += kAtOnce) {
    std::memset(results[0], 0xff, kAtOnce * results.bytes());
    for (int k = 0; k < kAtOnce; ++k)
      for (int64_t i = 0; i < inputs.count; ++i)
        inputs[k][i] = sentValue(p.rank(), first + k, i);
    for (int k = 0; k < kAtOnce; ++k) {
      RETURN_IF_CUDA(cudaMemcpyAsync(chain.input(), inputs[k], inputs.bytes(),
                                     cudaMemcpyHostToDevice, p.r.stream));
      host.sleep();
      RETURN_IF_ERROR(captured ? graph.launch(p.r.stream) : chain.enqueue());
      RETURN_IF_CUDA(cudaMemcpyAsync(results[k], chain.results(),
                                     results.bytes(), cudaMemcpyDeviceToHost,
                                     p.r.stream));
    }
    RETURN_IF_ERROR(p.finish(chain.streams()));
    for (int k = 0; k < kAtOnce && !testing::Test::HasFailure(); ++k)
      chain.check(results[k], first + k);
  }
  return absl::OkStatus();
}

TEST(PeerExchange, GoesOnWhileRanksAreLate) {
  EXPECT_ON_ALL_PEERS(
      [](const PeerRanks &p) { return runRounds(p, 50, /*captured=*/false); });
}

TEST(PeerExchange, ReplaysInAGraphWhileRanksAreLate) {
  EXPECT_ON_ALL_PEERS(
      [](const PeerRanks &p) { return runRounds(p, 200, /*captured=*/true); });
}

// Rank 0 waits for others that never come.
TEST(PeerMemory, ReleasesARankThatOthersHaveLeft) {
  EXPECT_ON_ALL_PEERS([](const PeerRanks &p) -> absl::Status {
    if (p.rank() == 0) {
      const cudaStream_t stream = p.r.stream;
      RETURN_IF_ERROR(
          p.memory.meet(0, PeerPhase::Ready, p.ranks, p.rank(), stream));
      // And whole exchanges behind it.
      for (int i = 0; i < 3; ++i)
        RETURN_IF_ERROR(
            p.first.allGather(p.at(0), p.at(0), 1000, plan::I32, stream));
      EXPECT_FALSE(becomesIdle({stream}, milliseconds(200)))
          << "it does not wait";
      const auto begin = std::chrono::steady_clock::now();
      p.memory.release({&stream, 1});
      const bool idle = becomesIdle({stream}, milliseconds(0));
      const auto took = std::chrono::steady_clock::now() - begin;
      EXPECT_TRUE(idle);
      EXPECT_LT(took, std::chrono::seconds(5));
      if (!idle) // freeing memory would wait for ever
        p.r.factory.abort(absl::DeadlineExceededError("still waiting"));
      RETURN_IF_CUDA(cudaStreamSynchronize(stream));
    }
    return p.r.factory.world().barrier();
  });
}

} // namespace
} // namespace orrery::runtime
