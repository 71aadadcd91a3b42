// Collectives and transfers: who takes part, and what sizes follow from it.
#include "runtime/plan/CommunicationCheck.h"

#include "runtime/plan/ElementType.h"
#include "runtime/plan/ViewCheck.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <algorithm>
#include <vector>

namespace orrery::runtime {
namespace {

template <typename... Parts> absl::Status fault(const Parts &...parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status checkCommunicator(const plan::Plan &plan,
                               const plan::RankClass &rankClass,
                               uint32_t number) {
  if (number >= static_cast<uint32_t>(plan.communicators_size()))
    return fault("communicator ", number, " does not exist, the plan has ",
                 plan.communicators_size());
  const plan::Communicator &communicator =
      plan.communicators(static_cast<int>(number));
  if (communicator.only_size() == 0 || communicator.axes(0) != "pp")
    return absl::OkStatus();
  for (const plan::Member &member : rankClass.members())
    if (std::find(communicator.only().begin(), communicator.only().end(),
                  member.stage()) == communicator.only().end())
      return fault("communicator '", communicator.name(),
                   "' has no part on stage ", member.stage());
  return absl::OkStatus();
}

} // namespace

absl::Status checkCollective(const plan::Plan &plan, const Mesh &mesh,
                             const plan::RankClass &rankClass,
                             const plan::Collective &op) {
  if (absl::Status status =
          checkCommunicator(plan, rankClass, op.communicator());
      !status.ok())
    return status;
  const plan::Communicator &communicator =
      plan.communicators(static_cast<int>(op.communicator()));
  if (!plan::Collective::Op_IsValid(op.op()) ||
      !plan::Collective::Reduction_IsValid(op.reduction()))
    return fault("operation ", op.op(), " with reduction ", op.reduction(),
                 " is not known");
  if (communicator.only_size() > 0 && communicator.axes(0) != "pp")
    return fault("communicator '", communicator.name(),
                 "' leaves out ranks of this class");
  int64_t group = mesh.groupSize(communicator);
  const plan::View &in = op.in(), &out = op.out();
  std::vector<int64_t> expected(in.shape().begin(), in.shape().end());
  auto dimension = [&](int32_t d, bool divide) -> absl::Status {
    if (d < 0 || d >= in.shape_size())
      return fault("dimension ", d, " is not one of in ", viewText(in));
    if (divide && expected[d] % group)
      return fault("dimension ", d, " of in ", viewText(in),
                   " does not divide into ", group, " equal parts");
    expected[d] = divide ? expected[d] / group : expected[d] * group;
    return absl::OkStatus();
  };
  absl::Status status;
  switch (op.op()) {
  case plan::Collective::ALL_GATHER:
    status = dimension(op.dimension(), false);
    break;
  case plan::Collective::REDUCE_SCATTER:
  case plan::Collective::ALL_SLICE:
    status = dimension(op.dimension(), true);
    break;
  case plan::Collective::ALL_TO_ALL:
    status = dimension(op.dimension(), true);
    if (status.ok())
      status = dimension(op.concat_dimension(), false);
    break;
  default:
    break;
  }
  if (!status.ok())
    return status;
  if (out.type() != in.type() ||
      !std::equal(expected.begin(), expected.end(), out.shape().begin(),
                  out.shape().end()))
    return fault("operand out ", viewText(out), " must be ",
                 elementName(in.type()), "[", absl::StrJoin(expected, ", "),
                 "] in a group of ", group);
  return absl::OkStatus();
}

absl::Status checkTransfer(const plan::Plan &plan, const Mesh &mesh,
                           const plan::RankClass &rankClass,
                           const plan::Transfer &op) {
  if (absl::Status status =
          checkCommunicator(plan, rankClass, op.communicator());
      !status.ok())
    return status;
  const plan::Communicator &communicator =
      plan.communicators(static_cast<int>(op.communicator()));
  if (communicator.axes_size() != 1 || communicator.axes(0) != "pp" ||
      communicator.only_size() > 0)
    return fault("communicator '", communicator.name(), "' over {",
                 absl::StrJoin(communicator.axes(), ", "),
                 "}: transfers need all of the one axis pp");
  int32_t stages = mesh.axisSize("pp");
  if (op.delta() == 0 || op.delta() >= stages || op.delta() <= -stages)
    return fault("delta ", op.delta(), " with ", stages, " stages");
  for (const plan::Member &member : rankClass.members())
    if (member.stage() + op.delta() < 0 ||
        member.stage() + op.delta() >= stages)
      return fault("stage ", member.stage(), " has no neighbour ", op.delta(),
                   " away among ", stages, " stages");
  if (op.tag() < 0 || op.tag() > 32767)
    return fault("tag ", op.tag(), " is not in 0..32767");
  return absl::OkStatus();
}

} // namespace orrery::runtime
