// Sums of parts on a GPU against loops on the host, bit for bit.
#include "kernels/cuda/PartSum.h"
#include "test/kernels/cuda/DeviceArray.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <span>

using namespace orrery::kernels;

namespace {

constexpr int kMostParts = 9;
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
  size_t in, received, out;
  int64_t gap;
};

template <typename Of> class Case {
public:
  using T = typename Of::Element;
  using Wide = typename Of::Wide;

  Case(int64_t count, const Alignment &alignment)
      : count(count), alignment(alignment), distance(count + alignment.gap),
        received(kMostParts * distance, alignment.received),
        in(count, alignment.in), out(count, alignment.out) {
    std::vector<T> all(kMostParts * distance);
    for (int part = 0; part <= kMostParts; ++part) { // the last one: `in`
      const std::vector<T> values = samples<Of>(part, count);
      wide.emplace_back();
      for (const T &x : values)
        wide.back().push_back(Of::widen(x));
      if (part < kMostParts)
        std::copy(values.begin(), values.end(), all.begin() + part * distance);
      else
        own = values;
    }
    received.write(all);
    in.write(own);
  }

  // What is received at the own part's place is another part: not to be read.
  void check(int parts, int self, bool max, bool inPlace) {
    SCOPED_TRACE(testing::Message()
                 << elementName(Of::kType) << (max ? " max" : " sum") << " of "
                 << count << " elements, own " << self << " of " << parts
                 << ", apart " << distance << ", off by " << alignment.in
                 << ", " << alignment.received << ", " << alignment.out
                 << (inPlace ? ", in place" : ""));
    cuda::PartSumArguments a;
    a.in = in.data();
    a.received = received.data();
    a.distance = distance * static_cast<int64_t>(sizeof(T));
    a.parts = parts;
    a.own = self;
    a.count = count;
    a.out = inPlace ? in.data() : out.data();
    a.max = max;
    out.write(own); // not a former result
    ASSERT_CUDA(cuda::partSum(Of::kType, a, 0));
    const std::vector<T> actual = (inPlace ? in : out).read();
    if (inPlace)
      in.write(own);
    compare(actual, expected(parts, self, max));
  }

private:
  std::vector<T> expected(int parts, int self, bool max) const {
    std::vector<T> result(count);
    for (int64_t i = 0; i < count; ++i) {
      Wide sum{};
      for (int part = 0; part < parts; ++part) {
        const Wide x = wide[part == self ? kMostParts : part][i];
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
  DeviceArray<T> received, in, out;
  std::vector<T> own;
  std::vector<std::vector<Wide>> wide;
};

template <typename Of> class CudaPartSum : public testing::Test {};
using Types =
    testing::Types<OfFloat, OfHalf, OfBfloat, OfDouble, OfInt32, OfInt64>;
TYPED_TEST_SUITE(CudaPartSum, Types);

TYPED_TEST(CudaPartSum, IsTheLoopInTheOrderOfTheParts) {
  ORRERY_NEED_CUDA();
  for (int64_t count : {int64_t(1), int64_t(7), int64_t(8), kMostElements}) {
    const int64_t toMultiple = (count + 7) / 8 * 8 - count;
    const Alignment alignments[] = {
        {0, 0, 0, toMultiple},     // packs
        {1, 1, 1, toMultiple},     // as badly as may be
        {0, 0, 1, toMultiple},     // one of them
        {0, 0, 0, toMultiple + 1}, // parts are not
    };
    const bool large = count == kMostElements; // slow on the host: fewer cases
    for (const Alignment &alignment :
         std::span(alignments).first(large ? 2 : std::size(alignments))) {
      Case<TypeParam> c(count, alignment);
      for (int parts : {1, 2, 3, 4, 8, kMostParts}) {
        std::vector<int> places = {0, parts / 2, parts - 1};
        places.erase(std::unique(places.begin(), places.end()), places.end());
        for (int self : places)
          for (bool max : {false, true})
            for (bool inPlace : {false, true}) {
              if (large && inPlace != max)
                continue;
              c.check(parts, self, max, inPlace);
              if (testing::Test::HasFailure())
                return;
            }
      }
    }
  }
}

// A member that overflowed must not be outvoted.
TEST(CudaPartSumOfNan, IsNan) {
  ORRERY_NEED_CUDA();
  const int64_t count = 9;
  for (ElementType type : kFloatTypes)
    for (bool max : {false, true})
      for (int nan = 0; nan < 3; ++nan) {
        std::vector<float> parts(3 * count, 1), own(count, 2);
        parts[nan * count + 4] = NAN;
        own[4] = nan == 1 ? NAN : 2; // the own place
        FloatArray received(type, parts), in(type, own), out(type, own);
        cuda::PartSumArguments a;
        a.in = in.data(), a.received = received.data(), a.out = out.data();
        a.distance = count * elementBytes(type);
        a.parts = 3, a.own = 1, a.count = count, a.max = max;
        EXPECT_CUDA(cuda::partSum(type, a, 0));
        const std::vector<float> result = out.read();
        for (int64_t i = 0; i < count; ++i)
          if (i == 4)
            EXPECT_TRUE(std::isnan(result[i])) << elementName(type) << nan;
          else
            EXPECT_EQ(result[i], max ? 2 : 4) << elementName(type) << i;
      }
}

TEST(CudaPartSumOfNothing, NeedsAType) {
  ORRERY_NEED_CUDA();
  cuda::PartSumArguments a;
  EXPECT_CUDA(cuda::partSum(ElementType::F32, a, 0));
  EXPECT_EQ(cuda::partSum(ElementType::Unspecified, a, 0),
            cudaErrorNotSupported);
}

} // namespace
