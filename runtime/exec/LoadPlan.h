// Reading and checking a plan on all ranks before any of them starts work.
#ifndef ORRERY_RUNTIME_EXEC_LOADPLAN_H
#define ORRERY_RUNTIME_EXEC_LOADPLAN_H

#include "absl/status/statusor.h"
#include "runtime/comm/Communicator.h"
#include "runtime/plan/Plan.pb.h"

#include <string>

namespace orrery::runtime {

/// Every rank reads the file; rank 0 checks the plan in full; all agree that
/// they read the same plan and that the run has as many ranks as its mesh:
///   plan 'p.plan' is for 4 ranks (pp 2, dp 1, tp 2) and 2 were started; start
///   it with mpirun -n 4
/// Errors as in Agreement.h.
absl::StatusOr<plan::Plan> loadPlan(const std::string &path,
                                    Communicator &world);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_EXEC_LOADPLAN_H
