// Sums of members' parts and copies to members on a GPU against loops on the
// host, bit for bit.
#include "kernels/cuda/Peers.h"
#include "test/kernels/cuda/DeviceArray.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <span>

using namespace orrery::kernels;

namespace {

constexpr int kMembers[] = {1, 2, 3, 4, 8, 9, cuda::kMaxPeers};
constexpr int64_t kMostElements = 1000003;

// The type of an element, what it is added in, and both ways between them.
struct OfFloat {
  using Element = float;
  using Wide = float;
  static constexpr ElementType kType = ElementType::F32;
  static float widen(float x) { return x; }
  static float narrow(float x) { return x; }
};
struct OfHalf {
  using Element = __half;
  using Wide = float;
  static constexpr ElementType kType = ElementType::F16;
  static float widen(__half x) { return __half2float(x); }
  static __half narrow(float x) { return __float2half(x); }
};
struct OfBfloat {
  using Element = __nv_bfloat16;
  using Wide = float;
  static constexpr ElementType kType = ElementType::BF16;
  static float widen(__nv_bfloat16 x) { return __bfloat162float(x); }
  static __nv_bfloat16 narrow(float x) { return __float2bfloat16(x); }
};
template <typename T, ElementType Type> struct OfItself {
  using Element = T;
  using Wide = T;
  static constexpr ElementType kType = Type;
  static T widen(T x) { return x; }
  static T narrow(T x) { return x; }
};
using OfDouble = OfItself<double, ElementType::F64>;
using OfInt32 = OfItself<int32_t, ElementType::I32>;
using OfInt64 = OfItself<int64_t, ElementType::I64>;

// Parts are of different sizes, so that the order of the additions shows;
// integers' sums fit, those of 64 bits not into 32, nor into a double.
template <typename Of>
std::vector<typename Of::Element> samples(int part, int64_t count) {
  std::mt19937_64 random(part + 1);
  std::vector<typename Of::Element> values(count);
  for (auto &value : values) {
    const auto bits = static_cast<int64_t>(random());
    if constexpr (std::is_same_v<typename Of::Wide, int64_t>)
      value = bits >> 5;
    else if constexpr (std::is_same_v<typename Of::Wide, int32_t>)
      value = static_cast<int32_t>(bits >> 37);
    else
      value = Of::narrow(static_cast<typename Of::Wide>(
          std::ldexp(static_cast<double>(bits), part % 4 * 3 - 63)));
  }
  return values;
}

// Elements that data lie away from 256 bytes, and from the end of a part to
// the next one.
struct Alignment {
  size_t parts, out;
  int64_t gap;
};

std::vector<int> placesOf(int members) {
  std::vector<int> places = {0, members / 2, members - 1};
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

// They lie in memory the other way round, as many as there may be.
template <typename T>
cuda::PeerPlaces placesIn(const DeviceArray<T> &memory, int64_t distance,
                          int members, int self) {
  cuda::PeerPlaces places;
  places.members = members;
  places.self = self;
  for (int m = 0; m < members; ++m)
    places.place[m] = reinterpret_cast<std::byte *>(
        memory.data() + (cuda::kMaxPeers - 1 - m) * distance);
  return places;
}

template <typename Of> class Case {
public:
  using T = typename Of::Element;
  using Wide = typename Of::Wide;

  Case(int64_t count, const Alignment &alignment)
      : count(count), alignment(alignment), distance(count + alignment.gap),
        all(cuda::kMaxPeers * distance), memory(all.size(), alignment.parts),
        out(count, alignment.out) {
    for (int part = 0; part < cuda::kMaxPeers; ++part) {
      const std::vector<T> values = samples<Of>(part, count);
      wide.emplace_back();
      for (const T &x : values)
        wide.back().push_back(Of::widen(x));
      std::copy(values.begin(), values.end(), all.begin() + placeOf(part));
    }
    memory.write(all);
  }

  void check(int members, int self, bool max, bool inPlace) {
    SCOPED_TRACE(testing::Message()
                 << elementName(Of::kType) << (max ? " max" : " sum") << " of "
                 << count << " elements, own " << self << " of " << members
                 << ", apart " << distance << ", off by " << alignment.parts
                 << ", " << alignment.out << (inPlace ? ", in place" : ""));
    const cuda::PeerPlaces parts = placesIn(memory, distance, members, self);
    T *own = memory.data() + placeOf(self);
    out.write(std::vector<T>(count)); // not a former result
    ASSERT_CUDA(cuda::sumParts(Of::kType, parts, inPlace ? own : out.data(),
                               count, max, 0));
    const std::vector<T> sums = expected(members, max);
    if (!inPlace)
      compare(out.read(), sums);
    if (!inPlace && count == kMostElements)
      return; // that takes long
    std::vector<T> rest = memory.read();
    if (inPlace) {
      const auto begin = rest.begin() + placeOf(self), end = begin + count;
      compare(std::vector<T>(begin, end), sums);
      std::copy_n(all.begin() + placeOf(self), count, begin);
      memory.write(all);
    }
    EXPECT_EQ(std::memcmp(rest.data(), all.data(), all.size() * sizeof(T)), 0)
        << "parts were written";
  }

private:
  int64_t placeOf(int part) const {
    return (cuda::kMaxPeers - 1 - part) * distance;
  }
  std::vector<T> expected(int members, bool max) const {
    std::vector<T> result(count);
    for (int64_t i = 0; i < count; ++i) {
      Wide sum{};
      for (int part = 0; part < members; ++part) {
        const Wide x = wide[part][i];
        sum = part == 0 ? x : !max ? sum + x : sum > x ? sum : x;
      }
      result[i] = Of::narrow(sum);
    }
    return result;
  }
  static void compare(const std::vector<T> &actual,
                      const std::vector<T> &expected) {
    for (size_t i = 0; i < expected.size(); ++i)
      if (std::memcmp(&actual[i], &expected[i], sizeof(T)) != 0) {
        ADD_FAILURE() << "element " << i << ": " << +Of::widen(actual[i])
                      << " for " << +Of::widen(expected[i]);
        return;
      }
  }

  int64_t count;
  Alignment alignment;
  int64_t distance;
  std::vector<T> all; // what is in memory
  DeviceArray<T> memory, out;
  std::vector<std::vector<Wide>> wide;
};

template <typename Of> class CudaSumParts : public testing::Test {};
using Types =
    testing::Types<OfFloat, OfHalf, OfBfloat, OfDouble, OfInt32, OfInt64>;
TYPED_TEST_SUITE(CudaSumParts, Types);

TYPED_TEST(CudaSumParts, IsTheLoopInTheOrderOfTheMembers) {
  ORRERY_NEED_CUDA();
  for (int64_t count : {int64_t(1), int64_t(7), int64_t(8), kMostElements}) {
    const int64_t toMultiple = (count + 7) / 8 * 8 - count;
    const Alignment alignments[] = {
        {0, 0, toMultiple},     // packs
        {1, 1, toMultiple},     // as badly as may be
        {0, 1, toMultiple},     // one of them
        {0, 0, toMultiple + 1}, // parts are not
    };
    const bool large = count == kMostElements; // slow on the host: fewer cases
    for (const Alignment &alignment :
         std::span(alignments).first(large ? 2 : std::size(alignments))) {
      Case<TypeParam> c(count, alignment);
      for (int members : kMembers)
        for (int self : placesOf(members))
          for (bool max : {false, true})
            for (bool inPlace : {false, true}) {
              if (large && (inPlace != max || self != members / 2))
                continue;
              c.check(members, self, max, inPlace);
              if (testing::Test::HasFailure())
                return;
            }
    }
  }
}

// A member that overflowed must not be outvoted.
TEST(CudaSumPartsOfNan, IsNan) {
  ORRERY_NEED_CUDA();
  const int64_t count = 9;
  for (ElementType type : kFloatTypes)
    for (bool max : {false, true})
      for (int nan = 0; nan < 3; ++nan) {
        FloatArray out(type, std::vector<float>(count));
        std::vector<FloatArray> memory;
        cuda::PeerPlaces parts;
        parts.members = 3, parts.self = 1;
        for (int m = 0; m < 3; ++m) {
          std::vector<float> values(count, m == 1 ? 2 : 1);
          if (m == nan)
            values[4] = NAN;
          memory.emplace_back(type, values);
          parts.place[m] = static_cast<std::byte *>(memory.back().data());
        }
        EXPECT_CUDA(cuda::sumParts(type, parts, out.data(), count, max, 0));
        const std::vector<float> result = out.read();
        for (int64_t i = 0; i < count; ++i)
          if (i == 4)
            EXPECT_TRUE(std::isnan(result[i])) << elementName(type) << nan;
          else
            EXPECT_EQ(result[i], max ? 2 : 4) << elementName(type) << i;
      }
}

TEST(CudaSumPartsOfNothing, NeedsAType) {
  ORRERY_NEED_CUDA();
  const cuda::PeerPlaces parts;
  EXPECT_CUDA(cuda::sumParts(ElementType::F32, parts, nullptr, 0, false, 0));
  EXPECT_EQ(
      cuda::sumParts(ElementType::Unspecified, parts, nullptr, 0, false, 0),
      cudaErrorNotSupported);
}

// Copies, in words of 16 bits.
std::vector<uint16_t> words(unsigned seed, int64_t count) {
  std::mt19937 random(seed);
  std::vector<uint16_t> values(count);
  for (uint16_t &value : values)
    value = static_cast<uint16_t>(random());
  return values;
}

// Alignment: `parts` and `gap` are of the members' places.
class SendCase {
public:
  SendCase(int64_t count, const Alignment &alignment)
      : count(count), alignment(alignment), apart(count + alignment.gap),
        before(words(1, cuda::kMaxPeers * apart)),
        memory(before, alignment.parts) {}

  // `distance` words from part to part of the input.
  void check(int members, int self, int64_t distance, bool inPlace) {
    SCOPED_TRACE(testing::Message()
                 << count << " words, own " << self << " of " << members
                 << ", apart " << distance << " and " << apart << ", off by "
                 << alignment.out << ", " << alignment.parts
                 << (inPlace ? ", in place" : ""));
    const std::vector<uint16_t> sent =
        words(2, (members - 1) * distance + count);
    DeviceArray<uint16_t> in(sent, alignment.out);
    memory.write(before);
    cuda::PeerPlaces to = placesIn(memory, apart, members, self);
    if (inPlace)
      to.place[self] =
          reinterpret_cast<std::byte *>(in.data() + self * distance);
    std::vector<uint16_t> expected = before;
    for (int m = 0; m < members; ++m)
      if (!inPlace || m != self)
        std::copy_n(sent.begin() + m * distance, count,
                    expected.begin() + (cuda::kMaxPeers - 1 - m) * apart);
    ASSERT_CUDA(
        cuda::sendParts(in.data(), distance * 2, to, count * 2, nullptr));
    const std::vector<uint16_t> actual = memory.read();
    const auto wrong =
        std::mismatch(actual.begin(), actual.end(), expected.begin());
    EXPECT_EQ(wrong.first, actual.end())
        << "word " << wrong.first - actual.begin();
    EXPECT_EQ(in.read(), sent) << "the input was written";
  }

private:
  int64_t count;
  Alignment alignment;
  int64_t apart;
  std::vector<uint16_t> before; // what is at the places and between them
  DeviceArray<uint16_t> memory;
};

TEST(CudaSendParts, CopiesToAllPlacesAndLeavesGaps) {
  ORRERY_NEED_CUDA();
  for (int64_t bytes : {2, 14, 16, 30, 1000002}) {
    const int64_t count = bytes / 2, toMultiple = (count + 7) / 8 * 8 - count;
    const Alignment alignments[] = {
        {0, 0, toMultiple},     // packs
        {1, 1, toMultiple + 8}, // as badly as may be
        {0, 1, toMultiple},     // the input
        {1, 0, toMultiple},     // the places
        {0, 0, toMultiple + 1}, // some places
    };
    for (const Alignment &alignment : alignments) {
      SendCase c(count, alignment);
      for (int members : {1, 2, 3, 8, cuda::kMaxPeers})
        for (int self : placesOf(members))
          // The same part for all; side by side; with gaps.
          for (int64_t distance : {int64_t(0), count, count + toMultiple,
                                   count + toMultiple + 8, count + 3})
            for (bool inPlace : {false, true}) {
              if (bytes > 1000 && self != members / 2)
                continue;
              c.check(members, self, distance, inPlace);
              if (testing::Test::HasFailure())
                return;
            }
    }
  }
}

TEST(CudaSendParts, SendsNothing) {
  ORRERY_NEED_CUDA();
  EXPECT_CUDA(cuda::sendParts(nullptr, 0, cuda::PeerPlaces(), 0, nullptr));
}

} // namespace
