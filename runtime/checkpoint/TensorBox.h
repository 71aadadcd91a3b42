// Copying the part that two boxes of one tensor share, with conversion of the
// elements.
#ifndef ORRERY_RUNTIME_CHECKPOINT_TENSORBOX_H
#define ORRERY_RUNTIME_CHECKPOINT_TENSORBOX_H

#include "runtime/plan/ParameterShard.h"
#include "runtime/plan/Plan.pb.h"

#include <cstddef>
#include <cstdint>

namespace orrery::runtime {

/// float from the bits of an IEEE half or a bfloat16, exact.
float floatFromHalf(uint16_t bits);
float floatFromBfloat16(uint16_t bits);

/// Nearest half or bfloat16, ties to even; beyond the range infinity.
uint16_t halfFromFloat(float value);
uint16_t bfloat16FromFloat(float value);

/// Converts `count` elements between F32, F16, BF16 and F64 (source only).
/// Equal types are copied bit for bit.
void convertElements(const std::byte *from, plan::ElementType fromType,
                     std::byte *to, plan::ElementType toType, int64_t count);

/// A box of a tensor, stored row-major without gaps at `data`.
template <typename Byte> struct BoxData {
  const Box &box;
  plan::ElementType type;
  Byte *data;
};

/// True when the boxes share at least one element. Equal ranks.
bool intersects(const Box &a, const Box &b);

/// Copies every element that lies in both boxes. Equal ranks.
void copyIntersection(const BoxData<const std::byte> &from,
                      const BoxData<std::byte> &to);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_TENSORBOX_H
