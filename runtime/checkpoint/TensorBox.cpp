// Row by row: the innermost dimension is one run of elements in both boxes.
#include "runtime/checkpoint/TensorBox.h"

#include "runtime/plan/ElementType.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace orrery::runtime {

float floatFromHalf(uint16_t bits) {
  uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  uint32_t exponent = (bits >> 10) & 0x1f;
  uint32_t mantissa = bits & 0x3ff;
  if (exponent == 0x1f)
    return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) |
                                (mantissa << 13));
  float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
  return sign ? -magnitude : magnitude;
}

float floatFromBfloat16(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

uint16_t halfFromFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  if (std::isnan(value))
    return sign | 0x7e00;
  float magnitude = std::fabs(value);
  if (magnitude >= 65520.0f)
    return sign | 0x7c00;
  // Scaled by 2^24, subnormal halves are whole numbers; for normal ones the
  // last place is 2^(exponent - 10). nearbyint rounds ties to even.
  int exponent = std::max(-14, magnitude > 0 ? std::ilogb(magnitude) : -14);
  float units = std::nearbyint(std::ldexp(magnitude, 10 - exponent));
  uint32_t encoded = static_cast<uint32_t>(units);
  // A normal number has 1024 <= units <= 2048; the carry of 2048 moves into
  // the exponent by itself.
  if (encoded >= 1024)
    encoded += static_cast<uint32_t>(exponent + 14) << 10;
  return static_cast<uint16_t>(sign | encoded);
}

uint16_t bfloat16FromFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static float loadFloat(const std::byte *at, plan::ElementType type) {
  uint16_t half;
  switch (type) {
  case plan::F16:
    std::memcpy(&half, at, 2);
    return floatFromHalf(half);
  case plan::BF16:
    std::memcpy(&half, at, 2);
    return floatFromBfloat16(half);
  case plan::F64: {
    double wide;
    std::memcpy(&wide, at, 8);
    return static_cast<float>(wide);
  }
  default: {
    float value;
    std::memcpy(&value, at, 4);
    return value;
  }
  }
}

static void storeFloat(std::byte *at, plan::ElementType type, float value) {
  if (type == plan::F32) {
    std::memcpy(at, &value, 4);
    return;
  }
  uint16_t bits =
      type == plan::F16 ? halfFromFloat(value) : bfloat16FromFloat(value);
  std::memcpy(at, &bits, 2);
}

void convertElements(const std::byte *from, plan::ElementType fromType,
                     std::byte *to, plan::ElementType toType, int64_t count) {
  int64_t fromBytes = elementBytes(fromType), toBytes = elementBytes(toType);
  if (fromType == toType) {
    std::memcpy(to, from, static_cast<size_t>(count * toBytes));
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    storeFloat(to + i * toBytes, toType,
               loadFloat(from + i * fromBytes, fromType));
}

bool intersects(const Box &a, const Box &b) {
  for (size_t d = 0; d < a.shape.size(); ++d)
    if (a.offset[d] + a.shape[d] <= b.offset[d] ||
        b.offset[d] + b.shape[d] <= a.offset[d])
      return false;
  return true;
}

/// Row-major index in `box` of the element at global position `at`.
static int64_t indexIn(const Box &box, const std::vector<int64_t> &at) {
  int64_t index = 0;
  for (size_t d = 0; d < at.size(); ++d)
    index = index * box.shape[d] + (at[d] - box.offset[d]);
  return index;
}

void copyIntersection(const BoxData<const std::byte> &from,
                      const BoxData<std::byte> &to) {
  if (!intersects(from.box, to.box))
    return;
  size_t rank = to.box.shape.size();
  std::vector<int64_t> begin(rank), end(rank);
  for (size_t d = 0; d < rank; ++d) {
    begin[d] = std::max(from.box.offset[d], to.box.offset[d]);
    end[d] = std::min(from.box.offset[d] + from.box.shape[d],
                      to.box.offset[d] + to.box.shape[d]);
  }
  int64_t run = rank ? end[rank - 1] - begin[rank - 1] : 1;
  int64_t fromBytes = elementBytes(from.type), toBytes = elementBytes(to.type);
  std::vector<int64_t> at = begin;
  for (;;) {
    convertElements(from.data + indexIn(from.box, at) * fromBytes, from.type,
                    to.data + indexIn(to.box, at) * toBytes, to.type, run);
    size_t d = rank > 0 ? rank - 1 : 0;
    while (d > 0 && ++at[d - 1] == end[d - 1]) {
      at[d - 1] = begin[d - 1];
      --d;
    }
    if (d == 0)
      return;
  }
}

} // namespace orrery::runtime
