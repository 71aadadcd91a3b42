// Which pipeline stage holds which layer.
#include "passes/stage/StageLayout.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

int64_t orrery::passes::layerOf(Operation *op) {
  return op->getAttrOfType<IntegerAttr>(kLayerAttr).getInt();
}

int64_t StageLayout::stageOf(Operation *op) const {
  return std::clamp(layerOf(op), int64_t(0), numLayers() - 1) / layersPerStage;
}

/// The largest layer in any function; failure at an op without one.
static FailureOr<int64_t> findNumLayers(ModuleOp module) {
  int64_t largest = 0;
  for (auto function : module.getOps<func::FuncOp>())
    for (Operation &op : function.front().without_terminator()) {
      if (!op.getAttrOfType<IntegerAttr>(kLayerAttr))
        return op.emitOpError("has no 'dfg.layer', so it has no stage");
      largest = std::max(largest, layerOf(&op));
    }
  return largest;
}

FailureOr<StageLayout> StageLayout::get(ModuleOp module) {
  MeshAttr mesh = getMesh(module);
  if (!mesh)
    return module.emitOpError("has no 'dfg.mesh'");
  FailureOr<int64_t> numLayers = findNumLayers(module);
  if (failed(numLayers))
    return failure();
  int64_t stages = mesh.getSize(StringAttr::get(module.getContext(), "pp"));
  if (*numLayers >= stages && *numLayers % stages == 0)
    return StageLayout{stages, *numLayers / stages};
  int64_t legal = std::min(stages, std::max(*numLayers, int64_t(1)));
  while (*numLayers % legal != 0)
    --legal;
  int64_t rounded = std::max((*numLayers + stages / 2) / stages, int64_t(1));
  return module.emitOpError("cannot divide ")
         << *numLayers << " layers into " << stages
         << " equal stages; nearest legal choices: " << legal << " stages or "
         << rounded * stages << " layers";
}
