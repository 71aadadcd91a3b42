// The error for an element type that a CPU kernel has no form for.
#ifndef ORRERY_KERNELS_CPU_ELEMENTTYPE_H
#define ORRERY_KERNELS_CPU_ELEMENTTYPE_H

#include "absl/status/status.h"
#include "kernels/ElementType.h"

namespace orrery::kernels {

/// Unimplemented, naming kernel and type:
///   "CPU kernel 'attention' has no form for element type bf16; it has f32"
absl::Status noSuchForm(const char *kernel, ElementType type,
                        const char *available);

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_CPU_ELEMENTTYPE_H
