// Splits parameters by their sharding, major axis first.
#include "runtime/plan/ParameterShard.h"

#include "runtime/plan/ElementType.h"
#include "runtime/plan/RandomKey.h"

#include <algorithm>

namespace orrery::runtime {

int64_t Box::elements() const {
  int64_t product = 1;
  for (int64_t size : shape)
    product *= size;
  return product;
}

static bool shardsOn(const plan::Parameter &parameter,
                     const std::string &axis) {
  for (const plan::Sharding &sharding : parameter.sharding())
    if (std::find(sharding.axes().begin(), sharding.axes().end(), axis) !=
        sharding.axes().end())
      return true;
  return false;
}

static bool isWriter(const plan::Parameter &parameter, const Mesh &mesh,
                     const Coordinate &coordinate) {
  if (!parameter.owner())
    return false;
  for (size_t axis = 0; axis < mesh.numAxes(); ++axis)
    if (mesh.axisName(axis) != "pp" && coordinate[axis] != 0 &&
        !shardsOn(parameter, mesh.axisName(axis)))
      return false;
  return true;
}

ParameterShard shardOf(const RankPlan &rank, const plan::Parameter &parameter) {
  ParameterShard shard;
  shard.name = fillLayer(parameter.name(),
                         rank.member->first_layer() + parameter.layer());
  shard.parameter = &parameter;
  shard.writer = isWriter(parameter, rank.mesh, rank.coordinate);
  for (int d = 0; d < parameter.global_shape_size(); ++d) {
    int64_t parts = 1, part = 0;
    for (const std::string &axis : parameter.sharding(d).axes()) {
      int64_t size = rank.mesh.axisSize(axis);
      part = part * size + rank.mesh.coordinateOn(axis, rank.coordinate);
      parts *= size;
    }
    int64_t size = parameter.global_shape(d) / parts;
    shard.globalShape.push_back(parameter.global_shape(d));
    shard.box.shape.push_back(size);
    shard.box.offset.push_back(part * size);
  }
  return shard;
}

std::vector<ParameterShard> shardsOf(const RankPlan &rank) {
  std::vector<ParameterShard> shards;
  for (const plan::Parameter &parameter : rank.rankClass->parameters())
    shards.push_back(shardOf(rank, parameter));
  return shards;
}

std::byte *shardAddress(const RankPlan &rank, const ParameterShard &shard,
                        uint32_t buffer, std::byte *arena) {
  const plan::Buffer &target =
      rank.rankClass->buffers(static_cast<int>(buffer));
  return arena + target.offset() +
         shard.parameter->offset() *
             static_cast<uint64_t>(elementBytes(target.type()));
}

} // namespace orrery::runtime
