// Meetings of two members on one GPU, a stream each: nobody goes on alone, and
// what came before a meeting is seen behind it.
#include "kernels/cuda/Peers.h"
#include "test/kernels/cuda/DeviceArray.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <thread>

using namespace orrery::kernels;

namespace {

using std::chrono::milliseconds;

constexpr int kTwo = 2;

class CudaMeetPeers : public testing::Test {
protected:
  void SetUp() override {
    ORRERY_NEED_CUDA();
    for (cudaStream_t *stream : {&streams[0], &streams[1], &aside})
      ASSERT_CUDA(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking));
  }
  // Memory is freed behind it: nothing may wait any more.
  void TearDown() override {
    for (cudaStream_t stream : {streams[0], streams[1], aside})
      if (stream) {
        EXPECT_CUDA(cudaStreamSynchronize(stream));
        EXPECT_CUDA(cudaStreamDestroy(stream));
      }
  }

  bool becomesIdle(milliseconds limit) const {
    const auto end = std::chrono::steady_clock::now() + limit;
    for (cudaStream_t stream : streams)
      while (cudaStreamQuery(stream) == cudaErrorNotReady) {
        if (std::chrono::steady_clock::now() > end)
          return false;
        std::this_thread::yield();
      }
    return true;
  }

  // Freeing memory would wait for ever.
  void needIdle(const char *otherwise) const {
    if (becomesIdle(std::chrono::seconds(5)))
      return;
    std::fprintf(stderr, "a meeting goes on for ever: %s\n", otherwise);
    std::_Exit(1);
  }

  cudaStream_t streams[kTwo] = {}, aside = nullptr;
};

// The words and rounds of the two for one meeting.
class Meeting {
public:
  cuda::PeerFlags of(int member) const {
    cuda::PeerFlags flags;
    flags.members = kTwo;
    flags.self = member;
    flags.round = rounds.data() + member;
    for (int m = 0; m < kTwo; ++m)
      flags.words[m] = words.data() + m * cuda::kMaxPeers;
    return flags;
  }
  void letPass(int member, cudaStream_t stream) const {
    EXPECT_CUDA(cudaMemsetAsync(words.data() + member * cuda::kMaxPeers,
                                cuda::kPassingByte,
                                cuda::kMaxPeers * sizeof(uint32_t), stream));
  }
  // Of a member, by who wrote them.
  std::vector<uint32_t> wordsOf(int member) const {
    const std::vector<uint32_t> all = words.read();
    const auto begin = all.begin() + member * cuda::kMaxPeers;
    return {begin, begin + cuda::kMaxPeers};
  }
  std::vector<uint32_t> roundsOfAll() const { return rounds.read(); }

private:
  static std::vector<uint32_t> zeros(size_t count) {
    return std::vector<uint32_t>(count);
  }
  DeviceArray<uint32_t> words{zeros(kTwo * cuda::kMaxPeers)};
  DeviceArray<uint32_t> rounds{zeros(kTwo)};
};

cudaError_t copyWord(uint32_t *to, const uint32_t *from, cudaStream_t stream) {
  return cudaMemcpyAsync(to, from, sizeof(uint32_t), cudaMemcpyDeviceToDevice,
                         stream);
}

// Each shows the number of the round, reads the other's behind a meeting, and
// meets again before the next.
TEST_F(CudaMeetPeers, PassesWhenBothAreThere) {
  constexpr int kRounds = 100;
  Meeting ready, done;
  std::vector<uint32_t> numbers(kRounds);
  std::iota(numbers.begin(), numbers.end(), 1000);
  DeviceArray<uint32_t> table(numbers), shown(kTwo), seen(kTwo * kRounds);
  // Its code is loaded before anything waits.
  ASSERT_CUDA(copyWord(shown.data(), table.data(), aside));
  ASSERT_CUDA(cudaDeviceSynchronize());
  for (int round = 0; round < kRounds; ++round)
    for (int turn = 0; turn < kTwo; ++turn) {
      const int m = (round / 3 + turn) % kTwo; // who comes first
      EXPECT_CUDA(copyWord(shown.data() + m, table.data() + round, streams[m]));
      EXPECT_CUDA(cuda::meetPeers(ready.of(m), streams[m]));
      EXPECT_CUDA(copyWord(seen.data() + m * kRounds + round,
                           shown.data() + (1 - m), streams[m]));
      EXPECT_CUDA(cuda::meetPeers(done.of(m), streams[m]));
    }
  if (!becomesIdle(std::chrono::seconds(10))) {
    ADD_FAILURE() << "they wait for each other";
    for (int m = 0; m < kTwo; ++m)
      for (const Meeting *meeting : {&ready, &done})
        meeting->letPass(m, aside);
    needIdle("words do not let it pass");
  }
  const std::vector<uint32_t> all = seen.read();
  for (int m = 0; m < kTwo; ++m)
    for (int round = 0; round < kRounds; ++round)
      ASSERT_EQ(all[m * kRounds + round], numbers[round])
          << "member " << m << " round " << round;
  for (const Meeting *meeting : {&ready, &done}) {
    EXPECT_EQ(meeting->roundsOfAll(), std::vector<uint32_t>(kTwo, kRounds));
    for (int m = 0; m < kTwo; ++m) {
      std::vector<uint32_t> expected(cuda::kMaxPeers);
      expected[1 - m] = kRounds;
      EXPECT_EQ(meeting->wordsOf(m), expected);
    }
  }
}

TEST_F(CudaMeetPeers, WaitsForTheOtherUntilWordsLetItPass) {
  for (int alone = 0; alone < kTwo; ++alone) {
    Meeting meeting;
    ASSERT_CUDA(cudaDeviceSynchronize());
    ASSERT_CUDA(cuda::meetPeers(meeting.of(alone), streams[alone]));
    EXPECT_FALSE(becomesIdle(milliseconds(200))) << "it does not wait";
    meeting.letPass(alone, aside);
    needIdle("it does not pass");
    // And so do those behind it.
    for (int i = 0; i < 10; ++i)
      EXPECT_CUDA(cuda::meetPeers(meeting.of(alone), streams[alone]));
    needIdle("later ones wait");
    // It has told the other, which therefore passes as often.
    EXPECT_EQ(meeting.wordsOf(1 - alone)[alone], 11u);
    for (int i = 0; i < 11; ++i)
      EXPECT_CUDA(cuda::meetPeers(meeting.of(1 - alone), streams[1 - alone]));
    needIdle("the other waits");
  }
}

} // namespace
