// All ops of the dfg dialect.
#ifndef ORRERY_DIALECTS_DFG_OPS
#define ORRERY_DIALECTS_DFG_OPS

include "dialects/dfg/ops/ElementwiseOps.td"
include "dialects/dfg/ops/ShapeOps.td"
include "dialects/dfg/ops/ModelOps.td"
include "dialects/dfg/ops/MeshOps.td"
include "dialects/dfg/ops/StateOps.td"
include "dialects/dfg/ops/FusedOps.td"

#endif
