// All ops of the rank dialect.
#ifndef ORRERY_DIALECTS_RANK_OPS
#define ORRERY_DIALECTS_RANK_OPS

include "dialects/rank/StructureOps.td"
include "dialects/rank/InstructionOps.td"

#endif
