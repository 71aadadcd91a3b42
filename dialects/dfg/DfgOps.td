// All ops of the dfg dialect.
#ifndef ORRERY_DIALECTS_DFG_OPS
#define ORRERY_DIALECTS_DFG_OPS

include "dialects/dfg/ElementwiseOps.td"
include "dialects/dfg/ShapeOps.td"
include "dialects/dfg/ModelOps.td"
include "dialects/dfg/MeshOps.td"
include "dialects/dfg/StateOps.td"
include "dialects/dfg/FusedOps.td"

#endif
