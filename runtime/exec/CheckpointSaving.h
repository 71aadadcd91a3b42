// Saving a checkpoint with all ranks.
#ifndef ORRERY_RUNTIME_EXEC_CHECKPOINTSAVING_H
#define ORRERY_RUNTIME_EXEC_CHECKPOINTSAVING_H

#include "absl/status/status.h"
#include "runtime/checkpoint/TrainingState.h"
#include "runtime/comm/Communicator.h"
#include "runtime/plan/RankPlan.h"

#include <cstddef>
#include <string>

namespace orrery::runtime {

/// A collective: the checkpoint of `state.step` appears in `directory` whole
/// or not at all. Errors as in Agreement.h.
absl::Status saveCheckpoint(const RankPlan &rank, const std::byte *arena,
                            const std::string &directory,
                            const TrainingState &state, Communicator &world);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_EXEC_CHECKPOINTSAVING_H
