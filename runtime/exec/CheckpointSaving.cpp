// The barriers around CheckpointWriter.
#include "runtime/exec/CheckpointSaving.h"

#include "runtime/checkpoint/CheckpointWriter.h"
#include "runtime/comm/Agreement.h"

namespace orrery::runtime {

absl::Status saveCheckpoint(const RankPlan &rank, const std::byte *arena,
                            const std::string &directory,
                            const TrainingState &state, Communicator &world) {
  CheckpointWriter writer(*rank.plan, directory, state.step);
  absl::Status mine;
  if (world.rank() == 0)
    mine = writer.prepare();
  if (absl::Status status = agree(world, mine); !status.ok())
    return status;
  if (absl::Status status = agree(world, writer.writeShard(rank, arena));
      !status.ok())
    return status;
  if (world.rank() == 0)
    mine = writer.publish(state);
  return agree(world, mine);
}

} // namespace orrery::runtime
