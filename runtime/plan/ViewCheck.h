// Checks of views, indices and random streams; parts of checkInstructions
// (PlanCheck.h). Messages carry no place: the caller adds it.
#ifndef ORRERY_RUNTIME_PLAN_VIEWCHECK_H
#define ORRERY_RUNTIME_PLAN_VIEWCHECK_H

#include "runtime/plan/Mesh.h"
#include "runtime/plan/Plan.pb.h"

#include "absl/status/status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::runtime {

/// "F32[2, 3]".
std::string viewText(const plan::View &view);

/// Product of the sizes of a checked view.
int64_t viewElements(const plan::View &view);

/// Elements from the first to the last one touched, both included.
__int128 viewReach(const plan::View &view);

/// Sizes with their strides.
struct Dimension {
  int64_t stride, size;
  bool operator==(const Dimension &) const = default;
};

/// The dimensions that tell elements apart, from the smallest stride on, each
/// joined with the next where that goes on behind it. Equal for dimensions in
/// any order that touch the same elements, if none overlaps another:
/// [4, 1, 3] with strides [6, 9, 1] and [3, 2, 2] with [1, 12, 6] are both
/// {{1, 3}, {6, 4}}.
std::vector<Dimension> joined(std::vector<Dimension> dimensions);
std::vector<Dimension> joined(const plan::View &view);

bool sameShape(const plan::View &a, const plan::View &b);

/// F32, F16 or BF16.
bool isFloat(const plan::View &view);

/// The view lies in its buffer, aligned; sizes are at least 1, strides at
/// least 0; with `written`, no two of its elements share a place.
absl::Status checkView(const plan::RankClass &rankClass, const plan::View &view,
                       bool written);

/// The axes are in the mesh and every value fits 64 bits.
absl::Status checkIndex(const Mesh &mesh, const plan::Index &index);

absl::Status checkStream(const plan::RandomStream &stream);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_VIEWCHECK_H
