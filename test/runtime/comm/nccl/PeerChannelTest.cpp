// Messages between neighbours over device memory.
#include "test/runtime/comm/nccl/DeviceRanks.h"

#include <numeric>

namespace orrery::runtime {
namespace {

// The rank's channels to and from its neighbours; absent at the ends.
struct Neighbours {
  const PeerChannel *toNext = nullptr, *fromNext = nullptr;
  const PeerChannel *toPrevious = nullptr, *fromPrevious = nullptr;
  std::vector<PeerChannel> channels;

  static absl::Status create(const DeviceRank &r, Neighbours &out) {
    std::vector<PeerChannelId> ids;
    const int self = r.rank();
    if (self + 1 < r.size()) {
      ids.push_back({self + 1, self, 0});
      ids.push_back({self, self + 1, 0});
    }
    if (self > 0) {
      ids.push_back({self - 1, self, 0});
      ids.push_back({self, self - 1, 0});
    }
    auto made = r.nccl.createChannels(r.factory.world(), ids);
    RETURN_IF_ERROR(made.status());
    out.channels = *std::move(made);
    for (const PeerChannel &channel : out.channels) {
      const PeerChannelId id = channel.id();
      (id.from == self ? (id.to > self ? out.toNext : out.toPrevious)
                       : (id.from > self ? out.fromNext : out.fromPrevious)) =
          &channel;
    }
    return absl::OkStatus();
  }
};

std::vector<int32_t> message(int sender, int number, int64_t count) {
  std::vector<int32_t> values(count);
  std::iota(values.begin(), values.end(), sender * 1000 + number * 100000);
  return values;
}

class Streams {
public:
  explicit Streams(int count) : all(count) {
    for (cudaStream_t &stream : all)
      EXPECT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking),
                cudaSuccess);
  }
  ~Streams() {
    for (cudaStream_t stream : all)
      EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  }
  Streams(const Streams &) = delete;
  Streams &operator=(const Streams &) = delete;
  cudaStream_t operator[](int i) const { return all[i]; }
  size_t size() const { return all.size(); }

  /// Makes all of them wait for what is on `stream`, or it for them.
  absl::Status fork(cudaStream_t stream) const {
    cudaEvent_t event;
    RETURN_IF_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    RETURN_IF_CUDA(cudaEventRecord(event, stream));
    for (cudaStream_t other : all)
      RETURN_IF_CUDA(cudaStreamWaitEvent(other, event, 0));
    return cuda(cudaEventDestroy(event), "cudaEventDestroy");
  }
  absl::Status join(cudaStream_t stream) const {
    for (cudaStream_t other : all) {
      cudaEvent_t event;
      RETURN_IF_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
      RETURN_IF_CUDA(cudaEventRecord(event, other));
      RETURN_IF_CUDA(cudaStreamWaitEvent(stream, event, 0));
      RETURN_IF_CUDA(cudaEventDestroy(event));
    }
    return absl::OkStatus();
  }

private:
  std::vector<cudaStream_t> all;
};

const int64_t kCounts[] = {1, 70001, 3000017};

// What one rank exchanges with both neighbours: three messages each way, all
// receives enqueued before any send, on a stream for each channel.
struct Exchange {
  explicit Exchange(const DeviceRank &r) {
    for (int i = 0; i < 3; ++i) {
      sent.push_back(std::make_unique<DeviceArray<int32_t>>(kCounts[i]));
      up.push_back(std::make_unique<DeviceArray<int32_t>>(kCounts[i]));
      down.push_back(std::make_unique<DeviceArray<int32_t>>(kCounts[i]));
    }
  }

  absl::Status enqueue(const Neighbours &n, const DeviceRank &r) {
    RETURN_IF_ERROR(streams.fork(r.stream));
    for (int i = 0; i < 3; ++i) {
      if (n.fromPrevious)
        RETURN_IF_ERROR(
            n.fromPrevious->receive(up[i]->data(), up[i]->bytes(), streams[0]));
      if (n.fromNext)
        RETURN_IF_ERROR(
            n.fromNext->receive(down[i]->data(), down[i]->bytes(), streams[1]));
    }
    for (int i = 0; i < 3; ++i) {
      if (n.toNext)
        RETURN_IF_ERROR(
            n.toNext->send(sent[i]->data(), sent[i]->bytes(), streams[2]));
      if (n.toPrevious)
        RETURN_IF_ERROR(
            n.toPrevious->send(sent[i]->data(), sent[i]->bytes(), streams[3]));
    }
    return streams.join(r.stream);
  }

  void setMessages(int sender, int round) {
    for (int i = 0; i < 3; ++i)
      sent[i]->set(message(sender, i + round, kCounts[i]));
  }
  void expectMessages(const Neighbours &n, int self, int round) const {
    for (int i = 0; i < 3; ++i) {
      if (n.fromPrevious) {
        EXPECT_TRUE(up[i]->get() == message(self - 1, i + round, kCounts[i]))
            << "message " << i << " of round " << round << " from below";
      }
      if (n.fromNext) {
        EXPECT_TRUE(down[i]->get() == message(self + 1, i + round, kCounts[i]))
            << "message " << i << " of round " << round << " from above";
      }
    }
  }

  Streams streams{4};
  std::vector<std::unique_ptr<DeviceArray<int32_t>>> sent, up, down;
};

TEST(PeerChannel, ReceivesThatWaitHoldUpNoSend) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    Neighbours n;
    RETURN_IF_ERROR(Neighbours::create(r, n));
    Exchange exchange(r);
    exchange.setMessages(r.rank(), 0);
    RETURN_IF_CUDA(cudaDeviceSynchronize());
    RETURN_IF_ERROR(exchange.enqueue(n, r));
    RETURN_IF_ERROR(r.finish());
    exchange.expectMessages(n, r.rank(), 0);
    return absl::OkStatus();
  });
}

TEST(PeerChannel, ReplaysInAGraph) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    Neighbours n;
    RETURN_IF_ERROR(Neighbours::create(r, n));
    Exchange exchange(r);
    CapturedGraph graph;
    RETURN_IF_ERROR(
        graph.capture(r.stream, [&] { return exchange.enqueue(n, r); }));
    for (int replay = 0; replay < 3; ++replay) {
      exchange.setMessages(r.rank(), replay);
      RETURN_IF_CUDA(cudaDeviceSynchronize());
      RETURN_IF_ERROR(graph.launch(r.stream));
      RETURN_IF_ERROR(r.finish());
      exchange.expectMessages(n, r.rank(), replay);
    }
    return absl::OkStatus();
  });
}

// A message goes from rank 0 to the last and back, ten times, on one stream
// each.
TEST(PeerChannel, PingPong) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    Neighbours n;
    RETURN_IF_ERROR(Neighbours::create(r, n));
    const int64_t count = 100003;
    DeviceArray<int32_t> ball(count);
    if (r.rank() == 0)
      ball.set(message(0, 7, count));
    RETURN_IF_CUDA(cudaDeviceSynchronize());
    for (int bounce = 0; bounce < 10; ++bounce) {
      if (n.fromPrevious)
        RETURN_IF_ERROR(
            n.fromPrevious->receive(ball.data(), ball.bytes(), r.stream));
      if (n.toNext) {
        RETURN_IF_ERROR(n.toNext->send(ball.data(), ball.bytes(), r.stream));
        // What comes back must be what was sent: forget the ball meanwhile.
        RETURN_IF_CUDA(
            cudaMemsetAsync(ball.data(), 0xff, ball.bytes(), r.stream));
        RETURN_IF_ERROR(
            n.fromNext->receive(ball.data(), ball.bytes(), r.stream));
      }
      if (n.toPrevious)
        RETURN_IF_ERROR(
            n.toPrevious->send(ball.data(), ball.bytes(), r.stream));
    }
    RETURN_IF_ERROR(r.finish());
    EXPECT_TRUE(ball.get() == message(0, 7, count));
    return absl::OkStatus();
  });
}

// Rank 1 takes the message of lane 1 first, although lane 0's was sent first
// and is too large to wait in a buffer.
TEST(PeerChannel, LanesDoNotWaitForEachOther) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    std::vector<PeerChannelId> ids;
    if (r.size() > 1 && r.rank() < 2)
      ids = {{0, 1, 0}, {0, 1, 1}};
    auto lanes = r.nccl.createChannels(r.factory.world(), ids);
    RETURN_IF_ERROR(lanes.status());
    if (ids.empty())
      return absl::OkStatus();
    const int64_t count = 30000001;
    DeviceArray<int32_t> first(count), second(count);
    Streams streams(2);
    if (r.rank() == 0) {
      first.set(message(0, 1, count));
      second.set(message(0, 2, count));
    }
    RETURN_IF_CUDA(cudaDeviceSynchronize());
    RETURN_IF_ERROR(streams.fork(r.stream));
    if (r.rank() == 0) {
      RETURN_IF_ERROR(
          (*lanes)[0].send(first.data(), first.bytes(), streams[0]));
      RETURN_IF_ERROR(
          (*lanes)[1].send(second.data(), second.bytes(), streams[1]));
    } else {
      RETURN_IF_ERROR(
          (*lanes)[1].receive(second.data(), second.bytes(), streams[0]));
      RETURN_IF_ERROR(
          (*lanes)[0].receive(first.data(), first.bytes(), streams[0]));
    }
    RETURN_IF_ERROR(streams.join(r.stream));
    RETURN_IF_ERROR(r.finish());
    EXPECT_TRUE(first.get() == message(0, 1, count));
    EXPECT_TRUE(second.get() == message(0, 2, count));
    return absl::OkStatus();
  });
}

} // namespace
} // namespace orrery::runtime
