// Cost of one collective: bytes on the wire / bandwidth + latency.
#include "passes/analysis/ReshardCost.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

/// Number of ranks between neighbours on `axis`, times its size.
static int64_t axisSpan(StringAttr axis, MeshAttr mesh) {
  int64_t span = 1;
  for (auto [name, size] :
       llvm::reverse(llvm::zip_equal(mesh.getNames(), mesh.getSizes()))) {
    span *= size;
    if (name == axis)
      break;
  }
  return span;
}

double orrery::passes::collectiveSeconds(Collective kind, int64_t bytes,
                                         ArrayRef<StringAttr> axes,
                                         MeshAttr mesh,
                                         const Machine &machine) {
  if (kind == Collective::AllSlice)
    return 0;
  bool inNode = llvm::all_of(axes, [&](StringAttr axis) {
    return axisSpan(axis, mesh) <= machine.ranksPerNode;
  });
  double ranks = mesh.getSize(axes);
  double wire = (ranks - 1) / ranks * bytes;
  if (kind == Collective::AllReduce)
    wire *= 2;
  return wire / (inNode ? machine.nodeBandwidth : machine.networkBandwidth) +
         (inNode ? machine.nodeLatency : machine.networkLatency);
}

int64_t orrery::passes::localBytes(RankedTensorType type, ArrayRef<Axes> dims,
                                   MeshAttr mesh) {
  int64_t bytes =
      type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
  for (const Axes &dim : dims)
    bytes /= mesh.getSize(dim);
  return bytes;
}
