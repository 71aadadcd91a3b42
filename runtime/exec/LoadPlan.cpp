// Reading, checking and agreeing on a plan.
#include "runtime/exec/LoadPlan.h"

#include "absl/strings/str_cat.h"
#include "runtime/comm/Agreement.h"
#include "runtime/plan/Mesh.h"
#include "runtime/plan/PlanCheck.h"
#include "runtime/plan/PlanFile.h"

#include <xxhash.h>

namespace orrery::runtime {
namespace {

std::string axesText(const Mesh &mesh) {
  std::string text;
  for (size_t axis = 0; axis < mesh.numAxes(); ++axis)
    absl::StrAppend(&text, axis ? ", " : "", mesh.axisName(axis), " ",
                    mesh.axisSize(axis));
  return text;
}

absl::Status checkWorld(const plan::Plan &plan, const std::string &path,
                        int ranks) {
  absl::StatusOr<Mesh> mesh = Mesh::create(plan.mesh());
  if (!mesh.ok())
    return mesh.status();
  if (mesh->worldSize() == ranks)
    return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "plan '", path, "' is for ", mesh->worldSize(), " ranks (",
      axesText(*mesh), ") and ", ranks, ranks == 1 ? " was" : " were",
      " started; start it with mpirun -n ", mesh->worldSize()));
}

} // namespace

absl::StatusOr<plan::Plan> loadPlan(const std::string &path,
                                    Communicator &world) {
  absl::StatusOr<plan::Plan> plan = readPlan(path);
  if (absl::Status status = agree(world, plan.status()); !status.ok())
    return status;
  absl::StatusOr<std::string> bytes = framePlan(*plan);
  if (absl::Status status = agree(world, bytes.status()); !status.ok())
    return status;
  if (absl::Status status = agreeOnValue(
          world, XXH3_64bits(bytes->data(), bytes->size()), "plan");
      !status.ok())
    return status;
  absl::Status checked = checkWorld(*plan, path, world.size());
  if (checked.ok() && world.rank() == 0)
    checked = checkPlan(*plan);
  if (absl::Status status = agree(world, checked); !status.ok())
    return status;
  return plan;
}

} // namespace orrery::runtime
