// Which box of a global parameter a rank holds, and where in its arena.
#ifndef ORRERY_RUNTIME_PLAN_PARAMETERSHARD_H
#define ORRERY_RUNTIME_PLAN_PARAMETERSHARD_H

#include "runtime/plan/Plan.pb.h"
#include "runtime/plan/RankPlan.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace orrery::runtime {

/// A box in a global tensor: elements [offset[d], offset[d] + shape[d]) of
/// every dimension d.
struct Box {
  std::vector<int64_t> offset;
  std::vector<int64_t> shape;

  int64_t elements() const;
};

/// The part of one parameter that one rank holds.
///
/// Example: word embeddings [384, 64], dimension 0 sharded on tp of size 2, at
/// tp coordinate 1: offset [192, 0], shape [192, 64].
struct ParameterShard {
  std::string name; ///< with the global layer index filled in
  std::vector<int64_t> globalShape;
  Box box;
  const plan::Parameter *parameter;
  /// True on exactly one of the ranks that hold this box: the owner of a tied
  /// parameter, at coordinate 0 of every axis (except pp) that does not shard
  /// it. The writer puts the box into checkpoints.
  bool writer;
};

/// The rank's part of a parameter of its class. Requires a plan that passed
/// checkPlan.
ParameterShard shardOf(const RankPlan &rank, const plan::Parameter &parameter);

/// Every parameter of the rank's class, in the plan's order.
std::vector<ParameterShard> shardsOf(const RankPlan &rank);

/// The elements of a shard in a bucket's buffer (weights, gradients or one
/// optimizer state); `arena` is the start of the rank's arena.
std::byte *shardAddress(const RankPlan &rank, const ParameterShard &shard,
                        uint32_t buffer, std::byte *arena);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_PARAMETERSHARD_H
