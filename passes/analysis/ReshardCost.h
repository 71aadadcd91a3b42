// What a collective costs on a machine.
#ifndef ORRERY_PASSES_ANALYSIS_RESHARDCOST_H
#define ORRERY_PASSES_ANALYSIS_RESHARDCOST_H

#include "dialects/dfg/DfgDialect.h"

namespace orrery::passes {

/// Numbers of the machine on which a reshard runs: an 8-GPU node with
/// NVLink, nodes joined by one 200 Gb/s port per GPU. They only rank choices,
/// so their ratio is what matters.
struct Machine {
  int64_t ranksPerNode = 8;
  double nodeBandwidth = 300e9;   // bytes per second and rank, inside a node
  double networkBandwidth = 25e9; // bytes per second and rank, across nodes
  double nodeLatency = 5e-6;      // seconds per collective, inside a node
  double networkLatency = 20e-6;  // seconds per collective, across nodes
};

enum class Collective {
  AllReduce,
  ReduceScatter,
  AllGather,
  AllSlice,
  AllToAll
};

/// Seconds that `kind` takes over `axes`. `bytes` are those of the larger of
/// operand and result on one rank. With n ranks on the axes,
///   all_reduce 2 (n-1)/n bytes; reduce_scatter, all_gather (n-1)/n bytes;
///   all_to_all (n-1)/n bytes of either side; all_slice nothing.
/// Ranks adjacent in the mesh share a node: an axis is inside a node when its
/// stride times its size is at most `ranksPerNode`.
double collectiveSeconds(Collective kind, int64_t bytes,
                         mlir::ArrayRef<mlir::StringAttr> axes,
                         dfg::MeshAttr mesh, const Machine &machine);

/// Bytes of one rank's part of a `type` placed as `dims`.
int64_t localBytes(mlir::RankedTensorType type, mlir::ArrayRef<dfg::Axes> dims,
                   dfg::MeshAttr mesh);

} // namespace orrery::passes

#endif // ORRERY_PASSES_ANALYSIS_RESHARDCOST_H
