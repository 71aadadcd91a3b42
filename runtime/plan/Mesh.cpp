// Mixed-radix arithmetic over the axes of the mesh.
#include "runtime/plan/Mesh.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <algorithm>
#include <limits>

namespace orrery::runtime {

absl::StatusOr<Mesh> Mesh::create(const plan::Mesh &mesh) {
  Mesh result;
  int64_t world = 1;
  for (const plan::Mesh::Axis &axis : mesh.axes()) {
    if (axis.name().empty())
      return absl::InvalidArgumentError(
          absl::StrCat("mesh: axis ", result.numAxes(), " has no name"));
    if (result.findAxis(axis.name()) >= 0)
      return absl::InvalidArgumentError(
          absl::StrCat("mesh: axis '", axis.name(), "' is listed twice"));
    if (axis.size() < 1)
      return absl::InvalidArgumentError(
          absl::StrCat("mesh: axis '", axis.name(), "' has size ", axis.size(),
                       ", expected at least 1"));
    world *= axis.size();
    if (world > std::numeric_limits<int32_t>::max())
      return absl::InvalidArgumentError(absl::StrCat(
          "mesh: more than ", std::numeric_limits<int32_t>::max(), " ranks"));
    result.names.push_back(axis.name());
    result.sizes.push_back(axis.size());
  }
  result.world = static_cast<int32_t>(world);
  return result;
}

int Mesh::findAxis(absl::string_view name) const {
  auto it = std::find(names.begin(), names.end(), name);
  return it == names.end() ? -1 : static_cast<int>(it - names.begin());
}

int32_t Mesh::axisSize(absl::string_view name) const {
  int axis = findAxis(name);
  return axis < 0 ? 1 : sizes[axis];
}

Coordinate Mesh::coordinateOf(int32_t rank) const {
  Coordinate coordinate(sizes.size());
  for (size_t axis = sizes.size(); axis-- > 0;) {
    coordinate[axis] = rank % sizes[axis];
    rank /= sizes[axis];
  }
  return coordinate;
}

int32_t Mesh::rankOf(const Coordinate &coordinate) const {
  int32_t rank = 0;
  for (size_t axis = 0; axis < sizes.size(); ++axis)
    rank = rank * sizes[axis] + coordinate[axis];
  return rank;
}

int32_t Mesh::coordinateOn(absl::string_view axis,
                           const Coordinate &coordinate) const {
  int position = findAxis(axis);
  return position < 0 ? 0 : coordinate[position];
}

int32_t Mesh::groupSize(const plan::Communicator &communicator) const {
  if (communicator.only_size() > 0)
    return communicator.only_size();
  int32_t size = 1;
  for (const std::string &axis : communicator.axes())
    size *= axisSize(axis);
  return size;
}

std::vector<int32_t> Mesh::groupOf(const plan::Communicator &communicator,
                                   int32_t rank) const {
  Coordinate coordinate = coordinateOf(rank);
  std::vector<int32_t> group;
  if (communicator.only_size() > 0) {
    int axis = findAxis(communicator.axes(0));
    const auto &only = communicator.only();
    if (std::find(only.begin(), only.end(), coordinate[axis]) == only.end())
      return group;
    for (int32_t position : only) {
      coordinate[axis] = position;
      group.push_back(rankOf(coordinate));
    }
    return group;
  }
  int32_t size = groupSize(communicator);
  for (int32_t member = 0; member < size; ++member) {
    int32_t rest = member;
    for (int i = communicator.axes_size(); i-- > 0;) {
      int axis = findAxis(communicator.axes(i));
      coordinate[axis] = rest % sizes[axis];
      rest /= sizes[axis];
    }
    group.push_back(rankOf(coordinate));
  }
  return group;
}

std::vector<std::vector<int32_t>>
Mesh::groupsOf(const plan::Communicator &communicator) const {
  std::vector<std::vector<int32_t>> groups;
  for (int32_t rank = 0; rank < world; ++rank) {
    std::vector<int32_t> group = groupOf(communicator, rank);
    if (!group.empty() && group.front() == rank)
      groups.push_back(std::move(group));
  }
  return groups;
}

int64_t Mesh::evaluate(const plan::Index &index, const Coordinate &coordinate,
                       int64_t microbatch) const {
  int64_t value = index.constant() + microbatch * index.per_microbatch();
  for (const plan::Index::Term &term : index.terms())
    value += coordinateOn(term.axis(), coordinate) * term.stride();
  return value;
}

} // namespace orrery::runtime
