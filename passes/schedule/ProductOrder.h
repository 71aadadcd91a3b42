// Which products may run later than they stand.
#ifndef ORRERY_PASSES_SCHEDULE_PRODUCTORDER_H
#define ORRERY_PASSES_SCHEDULE_PRODUCTORDER_H

#include "dialects/rank/RankDialect.h"

namespace orrery::passes {

/// Whether `gemm` may run behind `op`, which stands behind it in the program:
/// nothing that one of them writes does the other touch.
bool mayFollow(rank::GemmOp gemm, mlir::Operation *op);

} // namespace orrery::passes

#endif // ORRERY_PASSES_SCHEDULE_PRODUCTORDER_H
