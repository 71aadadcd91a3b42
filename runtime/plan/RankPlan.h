// A plan as one rank sees it: its coordinate, its class and its stage.
#ifndef ORRERY_RUNTIME_PLAN_RANKPLAN_H
#define ORRERY_RUNTIME_PLAN_RANKPLAN_H

#include "runtime/plan/Mesh.h"
#include "runtime/plan/Plan.pb.h"

#include "absl/status/statusor.h"

namespace orrery::runtime {

/// Slots of a buffer on this member: its own number, or the member's when 0.
inline uint32_t slotsOf(const plan::Buffer &buffer,
                        const plan::Member &member) {
  return buffer.slots() ? buffer.slots() : member.slots();
}

/// The pointers are into the plan given to `create`, which must outlive this.
struct RankPlan {
  const plan::Plan *plan;
  Mesh mesh;
  int32_t rank;
  Coordinate coordinate;
  const plan::RankClass *rankClass;
  const plan::Member *member;

  /// OutOfRange: the mesh has no such rank. NotFound: no class has the rank's
  /// stage (its coordinate on `pp`, 0 without such an axis).
  static absl::StatusOr<RankPlan> create(const plan::Plan &plan, int32_t rank);
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_RANKPLAN_H
