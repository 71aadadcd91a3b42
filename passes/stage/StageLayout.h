// Which pipeline stage holds which layer.
#ifndef ORRERY_PASSES_STAGE_STAGELAYOUT_H
#define ORRERY_PASSES_STAGE_STAGELAYOUT_H

#include "dialects/dfg/DfgDialect.h"

namespace orrery::passes {

/// Equal numbers of consecutive layers per stage. With 8 layers on 4 stages:
///   layer  -1 0 1 | 2 3 | 4 5 | 6 7 8      -1 embedding, 8 head
struct StageLayout {
  int64_t numStages = 1;
  int64_t layersPerStage = 1;

  /// From axis pp of the mesh and the largest `dfg.layer`. Emits an error
  /// when an op of a function has no layer or the layers do not divide.
  static mlir::FailureOr<StageLayout> get(mlir::ModuleOp module);

  int64_t numLayers() const { return numStages * layersPerStage; }
  int64_t firstLayer(int64_t stage) const { return stage * layersPerStage; }
  int64_t stageOf(mlir::Operation *op) const;
};

/// The `dfg.layer` of an op that has one.
int64_t layerOf(mlir::Operation *op);

} // namespace orrery::passes

#endif // ORRERY_PASSES_STAGE_STAGELAYOUT_H
