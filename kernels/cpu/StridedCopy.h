// Copies between views of one shape, and fills views.
#ifndef ORRERY_KERNELS_CPU_STRIDEDCOPY_H
#define ORRERY_KERNELS_CPU_STRIDEDCOPY_H

#include "absl/status/status.h"
#include "kernels/CopyPlan.h"
#include "kernels/cpu/ElementType.h"

#include <cstdint>
#include <span>

namespace orrery::kernels {

/// Unimplemented when more than kMaxRank dimensions are left after merging.
absl::Status planCopy(ElementType type, std::span<const int64_t> shape,
                      std::span<const int64_t> inStrides,
                      std::span<const int64_t> outStrides, CopyPlan &plan);

/// out[i...] = in[i...]; the views must not overlap.
void stridedCopy(const CopyPlan &plan, const void *in, void *out, int threads);

/// out[i...] = value, converted to `type`; uses plan.out.
absl::Status stridedFill(const CopyPlan &plan, ElementType type, double value,
                         void *out, int threads);

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_CPU_STRIDEDCOPY_H
