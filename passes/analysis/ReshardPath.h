// The cheapest sequence of collectives between two states of a value.
#ifndef ORRERY_PASSES_ANALYSIS_RESHARDPATH_H
#define ORRERY_PASSES_ANALYSIS_RESHARDPATH_H

#include "passes/analysis/ReshardCost.h"

namespace orrery::passes {

/// One collective of a path.
struct ReshardStep {
  Collective kind;
  dfg::Axes axes;  // major to minor
  int64_t dim = 0; // gathered, scattered or sliced; for AllToAll: concatenated
  int64_t split = 0; // AllToAll: the dimension that becomes split
  dfg::Sharding after;
};

struct ReshardPath {
  llvm::SmallVector<ReshardStep, 2> steps;
  double seconds = 0;
};

/// Shortest path over states, from `source` to `target` of a value of the
/// global `type`. A step moves one axis:
///   partial → replicated   all_reduce        partial → split   reduce_scatter
///   split → replicated     all_gather        replicated → split   all_slice
///   one dimension → another   all_to_all
/// and neighbouring steps of one kind become one collective over several axes.
/// Dimensions list axes major to minor, and only the last of a dimension can
/// come or go. None when no path exists: the target is partial where the
/// source is not, or a size does not divide.
std::optional<ReshardPath> findReshardPath(const dfg::Sharding &source,
                                           const dfg::Sharding &target,
                                           mlir::RankedTensorType type,
                                           dfg::MeshAttr mesh,
                                           const Machine &machine = {});

} // namespace orrery::passes

#endif // ORRERY_PASSES_ANALYSIS_RESHARDPATH_H
