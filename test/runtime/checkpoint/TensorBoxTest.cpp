// Conversions of 16-bit floats and copies between boxes, against naive ones.
#include "runtime/checkpoint/TensorBox.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

namespace orrery::runtime {
namespace {

TEST(Half, EveryValueSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float value = floatFromHalf(static_cast<uint16_t>(bits));
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(floatFromHalf(halfFromFloat(value))));
    else
      ASSERT_EQ(halfFromFloat(value), bits) << value;
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    double low = floatFromHalf(static_cast<uint16_t>(bits));
    double high = floatFromHalf(static_cast<uint16_t>(bits + 1));
    float middle = static_cast<float>((low + high) / 2);
    ASSERT_EQ(halfFromFloat(middle), bits % 2 ? bits + 1 : bits);
    ASSERT_EQ(halfFromFloat(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(halfFromFloat(std::nextafter(middle, 1e9f)), bits + 1);
    ASSERT_EQ(halfFromFloat(-middle), 0x8000 | (bits % 2 ? bits + 1 : bits));
  }
}

TEST(Half, KnowsItsLimits) {
  EXPECT_EQ(halfFromFloat(65504.0f), 0x7bff);
  EXPECT_EQ(halfFromFloat(65519.9f), 0x7bff);
  EXPECT_EQ(halfFromFloat(65520.0f), 0x7c00);
  EXPECT_EQ(halfFromFloat(-INFINITY), 0xfc00);
  EXPECT_EQ(floatFromHalf(0x3c00), 1.0f);
  EXPECT_EQ(floatFromHalf(0x0001), std::ldexp(1.0f, -24));
}

TEST(Bfloat16, RoundsToTheNearestAndTiesToEven) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float value = floatFromBfloat16(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(floatFromBfloat16(bfloat16FromFloat(value))));
      continue;
    }
    ASSERT_EQ(bfloat16FromFloat(value), bits);
    if (std::isinf(value))
      continue;
    uint32_t full = bits << 16;
    ASSERT_EQ(bfloat16FromFloat(std::bit_cast<float>(full | 0x7fff)), bits);
    ASSERT_EQ(bfloat16FromFloat(std::bit_cast<float>(full | 0x8001)), bits + 1);
    ASSERT_EQ(bfloat16FromFloat(std::bit_cast<float>(full | 0x8000)),
              bits % 2 ? bits + 1 : bits);
  }
}

std::vector<float> numbered(const Box &box) {
  std::vector<float> values(box.elements());
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(i + 1);
  return values;
}

/// Position in the tensor of element `index` of a box.
std::vector<int64_t> positionOf(const Box &box, int64_t index) {
  std::vector<int64_t> at(box.shape.size());
  for (size_t d = at.size(); d-- > 0;) {
    at[d] = box.offset[d] + index % box.shape[d];
    index /= box.shape[d];
  }
  return at;
}

TEST(CopyIntersection, AgreesWithTheNaiveCopyOnRandomBoxes) {
  std::mt19937 random(7);
  int overlaps = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    size_t dims = random() % 4;
    Box from, to;
    for (size_t d = 0; d < dims; ++d)
      for (Box *box : {&from, &to}) {
        box->offset.push_back(random() % 5);
        box->shape.push_back(1 + random() % 5);
      }
    std::vector<float> source = numbered(from);
    std::vector<float> copied(to.elements(), -1), expected = copied;
    for (int64_t i = 0; i < from.elements(); ++i)
      for (int64_t j = 0; j < to.elements(); ++j)
        if (positionOf(from, i) == positionOf(to, j))
          expected[j] = source[i];
    copyIntersection(
        {from, plan::F32, reinterpret_cast<const std::byte *>(source.data())},
        {to, plan::F32, reinterpret_cast<std::byte *>(copied.data())});
    ASSERT_EQ(copied, expected);
    overlaps += intersects(from, to);
  }
  EXPECT_GT(overlaps, 200);
}

TEST(CopyIntersection, ConvertsElements) {
  Box box{{0}, {3}};
  double source[3] = {1.5, -2, 0.1};
  uint16_t target[3];
  copyIntersection(
      {box, plan::F64, reinterpret_cast<const std::byte *>(source)},
      {box, plan::BF16, reinterpret_cast<std::byte *>(target)});
  EXPECT_EQ(target[0], 0x3fc0);
  EXPECT_EQ(target[1], 0xc000);
  EXPECT_EQ(target[2], bfloat16FromFloat(0.1f));
}

} // namespace
} // namespace orrery::runtime
