// The mesh of ranks: rank <-> coordinate, groups of communicators, values of
// plan::Index.
//
// Axes are ordered major to minor. With axes pp 2, dp 1, tp 2:
//
//   rank        0        1        2        3
//   coordinate  (0,0,0)  (0,0,1)  (1,0,0)  (1,0,1)
//   groups of communicator {tp}: [0 1] [2 3]; of {pp}: [0 2] [1 3]
#ifndef ORRERY_RUNTIME_PLAN_MESH_H
#define ORRERY_RUNTIME_PLAN_MESH_H

#include "runtime/plan/Plan.pb.h"

#include "absl/status/statusor.h"

#include "absl/strings/string_view.h"
#include <cstdint>
#include <string>
#include <vector>

namespace orrery::runtime {

/// One entry per axis of the mesh, in the order of its axes.
using Coordinate = std::vector<int32_t>;

class Mesh {
public:
  /// Fails on an empty or repeated axis name, a size below 1, or more than
  /// 2^31 - 1 ranks.
  static absl::StatusOr<Mesh> create(const plan::Mesh &mesh);

  int32_t worldSize() const { return world; }
  size_t numAxes() const { return names.size(); }
  const std::string &axisName(size_t axis) const { return names[axis]; }
  int32_t axisSize(size_t axis) const { return sizes[axis]; }

  /// Position of the axis, or -1 when the mesh has no axis of this name.
  int findAxis(absl::string_view name) const;

  /// Size of the named axis; 1 when the mesh has none of this name.
  int32_t axisSize(absl::string_view name) const;

  /// Requires 0 <= rank < worldSize().
  Coordinate coordinateOf(int32_t rank) const;
  /// Requires one entry per axis, each within its axis.
  int32_t rankOf(const Coordinate &coordinate) const;

  /// Entry of the named axis; 0 when the mesh has none of this name.
  int32_t coordinateOn(absl::string_view axis,
                       const Coordinate &coordinate) const;

  /// Ranks per group of the communicator.
  int32_t groupSize(const plan::Communicator &communicator) const;

  /// World ranks of the group that `rank` belongs to, ordered by their
  /// coordinates on the communicator's axes, the last fastest; empty when
  /// `only` leaves the rank out.
  std::vector<int32_t> groupOf(const plan::Communicator &communicator,
                               int32_t rank) const;

  /// Every group of the communicator, ordered by first member.
  std::vector<std::vector<int32_t>>
  groupsOf(const plan::Communicator &communicator) const;

  /// constant + sum over terms of coordinate(axis) * stride
  /// + microbatch * per_microbatch.
  int64_t evaluate(const plan::Index &index, const Coordinate &coordinate,
                   int64_t microbatch) const;

private:
  std::vector<std::string> names;
  std::vector<int32_t> sizes;
  int32_t world = 1;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_MESH_H
