// Element types at the kernels' interface, numbered as in the plan. Nothing but
// data: CUDA sources include this file.
#ifndef ORRERY_KERNELS_ELEMENTTYPE_H
#define ORRERY_KERNELS_ELEMENTTYPE_H

#include <cstdint>

namespace orrery::kernels {

enum class ElementType : int {
  Unspecified = 0,
  F32 = 1,
  F16 = 2,
  BF16 = 3,
  F64 = 4,
  I32 = 5,
  I64 = 6
};

/// "f32", "bf16", …
constexpr const char *elementName(ElementType type) {
  constexpr const char *kNames[] = {"unspecified", "f32", "f16", "bf16",
                                    "f64",         "i32", "i64"};
  return kNames[static_cast<int>(type)];
}

/// Bytes of one element; 0 for Unspecified.
constexpr int64_t elementBytes(ElementType type) {
  constexpr int64_t kBytes[] = {0, 4, 2, 2, 8, 4, 8};
  return kBytes[static_cast<int>(type)];
}

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_ELEMENTTYPE_H
