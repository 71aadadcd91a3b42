// The rank dialect: includes everything that users of its ops need.
#ifndef ORRERY_DIALECTS_RANK_RANKDIALECT_H
#define ORRERY_DIALECTS_RANK_RANKDIALECT_H

#include "dialects/dfg/DfgDialect.h"

#include "dialects/rank/RankDialect.h.inc"
#include "dialects/rank/RankEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/rank/RankAttributes.h.inc"
#define GET_OP_CLASSES
#include "dialects/rank/RankOps.h.inc"

namespace orrery::rank {
/// Names of discardable attributes on instructions.
inline constexpr llvm::StringLiteral kLabelAttr = "rank.label";
inline constexpr llvm::StringLiteral kFlopsAttr = "rank.flops";
/// I64: which stream of the device runs the instruction; absent: 0.
inline constexpr llvm::StringLiteral kStreamAttr = "rank.stream";
/// Unit: runs in its program's last run of a step only.
inline constexpr llvm::StringLiteral kLastRunOnlyAttr = "rank.last_run_only";
} // namespace orrery::rank

#endif // ORRERY_DIALECTS_RANK_RANKDIALECT_H
