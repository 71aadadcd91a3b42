// Finds the class and the member that a rank plays.
#include "runtime/plan/RankPlan.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace orrery::runtime {

absl::StatusOr<RankPlan> RankPlan::create(const plan::Plan &plan,
                                          int32_t rank) {
  absl::StatusOr<Mesh> mesh = Mesh::create(plan.mesh());
  if (!mesh.ok())
    return mesh.status();
  if (rank < 0 || rank >= mesh->worldSize())
    return absl::OutOfRangeError(absl::StrCat(
        "rank ", rank, " is not in the mesh of ", mesh->worldSize(), " ranks"));
  Coordinate coordinate = mesh->coordinateOf(rank);
  int32_t stage = mesh->coordinateOn("pp", coordinate);
  for (const plan::RankClass &rankClass : plan.classes())
    for (const plan::Member &member : rankClass.members())
      if (member.stage() == stage)
        return RankPlan{&plan,      *std::move(mesh), rank,
                        coordinate, &rankClass,       &member};
  return absl::NotFoundError(absl::StrCat(
      "no rank class of the plan has stage ", stage, " of rank ", rank));
}

} // namespace orrery::runtime
