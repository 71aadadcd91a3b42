// Collectives that go by kernels that use other GPUs' memory, against values
// worked out on the host, at places of the mapped memory that are aligned as
// badly as may be.
#include "runtime/comm/nccl/DeviceCollective.h"
#include "test/runtime/comm/nccl/Elements.h"
#include "test/runtime/comm/nccl/PeerRanks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace orrery::runtime {
namespace {

using Kind = DimensionCollective::Kind;

const int64_t kCounts[] = {1, 3, 1000, 70001};
// Places lie so far apart that eight members' parts fit.
constexpr int64_t kMiB = int64_t(1) << 20;

// A part of the block: T's behind `before` others, with what must stay poisoned
// on both sides.
template <typename T> class Place {
public:
  Place(const PeerRanks &p, int64_t bytes, int64_t before, int64_t count)
      : begin(p.at<T>(bytes) + before), count(count) {}

  T *data() const { return begin; }
  void set(int64_t at, const std::vector<T> &values) const {
    EXPECT_EQ(cudaMemcpy(begin + at, values.data(), values.size() * sizeof(T),
                         cudaMemcpyHostToDevice),
              cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  }
  /// `expected` gives a double, NaN where nothing may have been written.
  template <typename Expected>
  void expect(Expected expected, const char *what) const {
    const std::vector<T> all = get();
    const T poison = poisoned();
    for (int64_t i = -kAround; i < count + kAround; ++i) {
      const T &actual = all[i + kAround];
      const double value = i < 0 || i >= count ? NAN : double(expected(i));
      if (std::isnan(value))
        ASSERT_EQ(std::memcmp(&actual, &poison, sizeof(T)), 0)
            << what << ": written at " << i << " of " << count;
      else
        ASSERT_EQ(toDouble(actual), value)
            << what << " " << i << " of " << count;
    }
  }
  /// As `expect`, bit for bit.
  void expectBits(const std::vector<T> &expected, const char *what) const {
    ASSERT_EQ(static_cast<int64_t>(expected.size()), count);
    const std::vector<T> all = get();
    const T poison = poisoned();
    for (int64_t i = -kAround; i < count + kAround; ++i) {
      const T &want = i < 0 || i >= count ? poison : expected[i];
      ASSERT_EQ(std::memcmp(&all[i + kAround], &want, sizeof(T)), 0)
          << what << " " << i << " of " << count << ": "
          << toDouble(all[i + kAround]) << " for " << toDouble(want);
    }
  }

private:
  static constexpr int64_t kAround = 64;

  static T poisoned() {
    T poison;
    std::memset(static_cast<void *>(&poison), 0xff, sizeof(T));
    return poison;
  }
  std::vector<T> get() const {
    std::vector<T> all(count + 2 * kAround);
    EXPECT_EQ(cudaMemcpy(all.data(), begin - kAround, all.size() * sizeof(T),
                         cudaMemcpyDeviceToHost),
              cudaSuccess);
    return all;
  }

  T *begin;
  int64_t count;
};

template <typename T>
absl::Status movesOf(const PeerRanks &p, plan::ElementType type, int64_t count,
                     int64_t before) {
  const int n = p.size();
  const int64_t distance = count + 5;
  const std::vector<T> sent = elements<T>(p.rank(), count * n);
  RETURN_IF_ERROR(p.poison());
  DeviceArray<T> in(sent); // not mapped
  Place<T> mapped(p, 2 * kMiB, before, count * n);
  Place<T> out(p, 12 * kMiB, before, count * n);
  Place<T> place(p, 20 * kMiB, before, count * n);
  Place<T> apart(p, 28 * kMiB, before, distance * n);
  Place<T> placeApart(p, 36 * kMiB, before, distance * n);
  Place<T> exchanged(p, 44 * kMiB, before, count * n);
  Place<T> mappedExchanged(p, 52 * kMiB, before, count * n);
  mapped.set(0, sent);
  place.set(p.rank() * count, elements<T>(p.rank(), count));
  placeApart.set(p.rank() * distance, elements<T>(p.rank(), count));
  cudaStream_t stream = p.r.stream;
  RETURN_IF_ERROR(
      p.first.allGather(in.data(), out.data(), count, type, stream));
  RETURN_IF_ERROR(p.first.allGather(place.data() + p.rank() * count,
                                    place.data(), count, type, stream));
  RETURN_IF_ERROR(p.first.allGatherApart(mapped.data(), apart.data(), count,
                                         distance, type, stream));
  RETURN_IF_ERROR(
      p.first.allGatherApart(placeApart.data() + p.rank() * distance,
                             placeApart.data(), count, distance, type, stream));
  RETURN_IF_ERROR(
      p.first.allToAll(in.data(), exchanged.data(), count, type, stream));
  RETURN_IF_ERROR(p.first.allToAll(mapped.data(), mappedExchanged.data(), count,
                                   type, stream));
  RETURN_IF_ERROR(p.finish());
  auto gathered = [&](int64_t i) {
    return element(static_cast<int>(i / count), i % count);
  };
  auto spread = [&](int64_t i) {
    return i % distance < count
               ? element(static_cast<int>(i / distance), i % distance)
               : NAN;
  };
  auto sentHere = [&](int64_t i) {
    return element(static_cast<int>(i / count), p.rank() * count + i % count);
  };
  out.expect(gathered, "all-gather");
  place.expect(gathered, "all-gather in place");
  apart.expect(spread, "all-gather apart");
  placeApart.expect(spread, "all-gather apart in place");
  exchanged.expect(sentHere, "all-to-all");
  mappedExchanged.expect(sentHere, "all-to-all of mapped memory");
  mapped.expectBits(sent, "mapped input");
  EXPECT_EQ(std::memcmp(in.get().data(), sent.data(), in.bytes()), 0)
      << "the input was written";
  return absl::OkStatus();
}

template <typename T>
absl::Status movesOf(const PeerRanks &p, plan::ElementType type) {
  for (int64_t count : kCounts)
    for (int64_t before : {0, 1, 77}) {
      SCOPED_TRACE(testing::Message() << "type " << type << " count " << count
                                      << " behind " << before);
      RETURN_IF_ERROR(movesOf<T>(p, type, count, before));
    }
  return absl::OkStatus();
}

TEST(PeerExchange, MovesEveryWidth) {
  EXPECT_ON_ALL_PEERS([](const PeerRanks &p) -> absl::Status {
    RETURN_IF_ERROR(movesOf<float>(p, plan::F32));
    RETURN_IF_ERROR(movesOf<__nv_bfloat16>(p, plan::BF16));
    RETURN_IF_ERROR(movesOf<__half>(p, plan::F16));
    RETURN_IF_ERROR(movesOf<int32_t>(p, plan::I32));
    return movesOf<int64_t>(p, plan::I64);
  });
}

// Members need not be in the order of the world.
TEST(PeerExchange, FollowsTheOrderOfTheMembers) {
  EXPECT_ON_ALL_PEERS([](const PeerRanks &p) -> absl::Status {
    const int64_t count = 1001, bytes = count * 8;
    const int n = p.size(), self = n - 1 - p.rank();
    const std::vector<int64_t> sent = elements<int64_t>(p.rank(), count * n);
    Place<int64_t> in(p, 2 * kMiB, 3, count * n);
    Place<int64_t> exchanged(p, 16 * kMiB, 3, count * n);
    Place<int64_t> place(p, 32 * kMiB, 3, count * n);
    DeviceArray<int64_t> sum(count);
    in.set(0, sent);
    place.set(self * count, elements<int64_t>(p.rank(), count));
    auto byte = [](int64_t *at) { return reinterpret_cast<std::byte *>(at); };
    RETURN_IF_ERROR(p.backward.exchange(byte(in.data()), bytes,
                                        byte(exchanged.data()), bytes, bytes,
                                        p.r.stream));
    RETURN_IF_ERROR(p.backward.exchange(byte(place.data() + self * count), 0,
                                        byte(place.data()), bytes, bytes,
                                        p.r.stream));
    RETURN_IF_ERROR(p.backward.reduceScatter(byte(in.data()), byte(sum.data()),
                                             count, plan::I64, Reduction::Sum,
                                             p.r.stream));
    RETURN_IF_ERROR(p.finish());
    auto rankOf = [&](int64_t i) {
      return n - 1 - static_cast<int>(i / count);
    };
    exchanged.expect(
        [&](int64_t i) { return element(rankOf(i), self * count + i % count); },
        "exchanged");
    place.expect([&](int64_t i) { return element(rankOf(i), i % count); },
                 "gathered in place");
    expectElements(
        sum,
        [&](int64_t i) { return reduced(n, self * count + i, Reduction::Sum); },
        "sum");
    in.expectBits(sent, "input");
    return absl::OkStatus();
  });
}

// One reduce-scatter by DeviceCall, apart and to the own part of the input;
// `sent` gives a member's input, `expected` element i of this one's output.
template <typename T, typename Sent, typename Expected>
absl::Status scatters(const PeerRanks &p, plan::ElementType type,
                      Reduction reduction, int64_t count, int64_t before,
                      Sent sent, Expected expected) {
  SCOPED_TRACE(testing::Message() << "type " << type << " reduction "
                                  << static_cast<int>(reduction) << " count "
                                  << count << " behind " << before);
  const DeviceCall call = {&p.first, Kind::ReduceScatter, reduction, type,
                           count};
  EXPECT_TRUE(call.goesByPeers());
  const int64_t own = p.rank() * count;
  std::vector<T> values = sent(p.rank());
  RETURN_IF_ERROR(p.poison());
  Place<T> in(p, 2 * kMiB, before, count * p.size());
  Place<T> place(p, 16 * kMiB, before, count * p.size());
  Place<T> out(p, 32 * kMiB, before, count);
  DeviceArray<T> elsewhere(count); // not mapped
  in.set(0, values);
  place.set(0, values);
  RETURN_IF_ERROR(call.run(in.data(), out.data(), p.r.stream));
  RETURN_IF_ERROR(call.run(in.data(), elsewhere.data(), p.r.stream));
  RETURN_IF_ERROR(call.run(place.data(), place.data() + own, p.r.stream));
  RETURN_IF_ERROR(p.finish());
  std::vector<T> sums;
  for (int64_t i = 0; i < count; ++i)
    sums.push_back(expected(i));
  in.expectBits(values, "input");
  out.expectBits(sums, "apart");
  EXPECT_EQ(std::memcmp(elsewhere.get().data(), sums.data(), count * sizeof(T)),
            0)
      << "elsewhere";
  std::copy(sums.begin(), sums.end(), values.begin() + own);
  place.expectBits(values, "in place");
  return absl::OkStatus();
}

template <typename T>
absl::Status reductionsOf(const PeerRanks &p, plan::ElementType type) {
  for (Reduction reduction : {Reduction::Sum, Reduction::Max})
    for (int64_t count : kCounts)
      for (int64_t before : {0, 1, 77})
        RETURN_IF_ERROR(scatters<T>(
            p, type, reduction, count, before,
            [&](int member) { return elements<T>(member, count * p.size()); },
            [&](int64_t i) {
              return fromInt<T>(
                  reduced(p.size(), p.rank() * count + i, reduction));
            }));
  return absl::OkStatus();
}

TEST(PeerExchange, ReducesEveryType) {
  EXPECT_ON_ALL_PEERS([](const PeerRanks &p) -> absl::Status {
    RETURN_IF_ERROR(reductionsOf<float>(p, plan::F32));
    RETURN_IF_ERROR(reductionsOf<__nv_bfloat16>(p, plan::BF16));
    RETURN_IF_ERROR(reductionsOf<__half>(p, plan::F16));
    RETURN_IF_ERROR(reductionsOf<double>(p, plan::F64));
    RETURN_IF_ERROR(reductionsOf<int32_t>(p, plan::I32));
    return reductionsOf<int64_t>(p, plan::I64);
  });
}

template <typename T> T fromFloat(float x);
template <> float fromFloat(float x) { return x; }
template <> __half fromFloat(float x) { return __float2half(x); }
template <> __nv_bfloat16 fromFloat(float x) { return __float2bfloat16(x); }

// Members' noise is of different sizes, so that the order and every rounding
// show.
template <typename T>
absl::Status sumsOfNoise(const PeerRanks &p, plan::ElementType type) {
  const int64_t count = 100003;
  std::vector<std::vector<T>> sent(p.size());
  for (int m = 0; m < p.size(); ++m)
    for (float x : noise(m, count * p.size()))
      sent[m].push_back(fromFloat<T>(x * static_cast<float>(1 + 7 * m)));
  return scatters<T>(
      p, type, Reduction::Sum, count, /*before=*/0,
      [&](int member) { return sent[member]; },
      [&](int64_t i) {
        const int64_t at = p.rank() * count + i;
        float sum = static_cast<float>(sent[0][at]);
        for (int m = 1; m < p.size(); ++m)
          sum += static_cast<float>(sent[m][at]);
        return fromFloat<T>(sum);
      });
}

TEST(PeerExchange, AddsInF32InTheOrderOfTheMembersAndRoundsOnce) {
  EXPECT_ON_ALL_PEERS([](const PeerRanks &p) -> absl::Status {
    RETURN_IF_ERROR(sumsOfNoise<__nv_bfloat16>(p, plan::BF16));
    RETURN_IF_ERROR(sumsOfNoise<__half>(p, plan::F16));
    return sumsOfNoise<float>(p, plan::F32);
  });
}

// One collective along dimensions, by peers and on the host.
template <typename T>
absl::Status sameAsHost(const PeerRanks &p, Kind kind, plan::ElementType type,
                        int dimension, int concat) {
  SCOPED_TRACE(testing::Message()
               << "kind " << static_cast<int>(kind) << " type " << type
               << " dimensions " << dimension << ", " << concat);
  const int64_t n = p.size();
  const int64_t shape[] = {6 * n, 4 * n};
  const int64_t count = shape[0] * shape[1];
  const int64_t outCount = kind == Kind::AllGather       ? count * n
                           : kind == Kind::ReduceScatter ? count / n
                                                         : count;
  DimensionCollective host;
  RETURN_IF_ERROR(DimensionCollective::create(
      kind, Reduction::Sum, type, shape, dimension, concat, p.size(), host));
  DeviceCollective device;
  RETURN_IF_ERROR(DeviceCollective::create(p.first, kind, Reduction::Sum, type,
                                           shape, dimension, concat, device));
  EXPECT_TRUE(device.call().goesByPeers());
  std::vector<T> values = elements<T>(p.rank(), count), expected(outCount);
  std::vector<std::byte> hostScratch(host.scratchBytes());
  RETURN_IF_ERROR(host.run(p.r.factory.world(), values.data(), expected.data(),
                           hostScratch.data()));
  RETURN_IF_ERROR(p.poison());
  Place<T> in(p, 2 * kMiB, 1, count);
  Place<T> out(p, 16 * kMiB, 1, outCount);
  in.set(0, values);
  RETURN_IF_ERROR(
      device.run(in.data(), out.data(), p.at(32 * kMiB), p.r.stream));
  RETURN_IF_ERROR(p.finish());
  in.expectBits(values, "in");
  out.expect([&](int64_t i) { return toDouble(expected[i]); }, "out");
  return absl::OkStatus();
}

TEST(PeerExchange, IsTheHostsAlongEveryDimension) {
  EXPECT_ON_ALL_PEERS([](const PeerRanks &p) -> absl::Status {
    for (int d : {0, 1}) {
      RETURN_IF_ERROR(sameAsHost<float>(p, Kind::AllGather, plan::F32, d, 0));
      RETURN_IF_ERROR(sameAsHost<__half>(p, Kind::AllGather, plan::F16, d, 0));
      RETURN_IF_ERROR(
          sameAsHost<float>(p, Kind::ReduceScatter, plan::F32, d, 0));
      RETURN_IF_ERROR(
          sameAsHost<double>(p, Kind::ReduceScatter, plan::F64, d, 0));
      for (int c : {0, 1})
        RETURN_IF_ERROR(
            sameAsHost<__nv_bfloat16>(p, Kind::AllToAll, plan::BF16, d, c));
    }
    return absl::OkStatus();
  });
}

} // namespace
} // namespace orrery::runtime
