// A strided copy or fill prepared once, for CPUs and for GPUs. Nothing but
// data: CUDA sources include this file.
#ifndef ORRERY_KERNELS_COPYPLAN_H
#define ORRERY_KERNELS_COPYPLAN_H

#include <array>
#include <cstdint>

namespace orrery::kernels {

/// Dimensions of size one dropped, neighbours that are contiguous in both views
/// merged, at most kMaxRank left; made by planCopy (kernels/cpu/StridedCopy.h).
struct CopyPlan {
  static constexpr int kMaxRank = 6;
  int rank = 0; // at least 1
  int64_t elementBytes = 0;
  std::array<int64_t, kMaxRank> shape = {};
  std::array<int64_t, kMaxRank> in = {}; // strides, elements
  std::array<int64_t, kMaxRank> out = {};
};

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_COPYPLAN_H
