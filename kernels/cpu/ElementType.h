// Element types at the kernels' interface, numbered as in the plan.
#ifndef ORRERY_KERNELS_CPU_ELEMENTTYPE_H
#define ORRERY_KERNELS_CPU_ELEMENTTYPE_H

#include "absl/status/status.h"

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
const char *elementName(ElementType type);

/// Bytes of one element; 0 for Unspecified.
int64_t elementBytes(ElementType type);

/// Unimplemented, naming kernel and type:
///   "CPU kernel 'attention' has no form for element type bf16; it has f32"
absl::Status noSuchForm(const char *kernel, ElementType type,
                        const char *available);

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_CPU_ELEMENTTYPE_H
