// The training, validation and test streams of a rank.
#ifndef ORRERY_RUNTIME_EXEC_DATASTREAMS_H
#define ORRERY_RUNTIME_EXEC_DATASTREAMS_H

#include "absl/status/status.h"
#include "frontend/job/Job.pb.h"
#include "runtime/comm/Communicator.h"
#include "runtime/data/Batch.h"

#include <optional>

namespace orrery::runtime {

/// Streams are opened, with their index maps, by the ranks that read data; the
/// others know only whether a split has any samples.
class DataStreams {
public:
  /// A collective. `reads`: whether this rank has input buffers. Validation
  /// and test streams are opened where the job evaluates; a validation split
  /// without samples gives a warning.
  absl::Status open(const job::JobSpec &job, int32_t dataRank, bool reads,
                    Communicator &world);

  /// Whether evaluation on the split can run: somebody has samples.
  bool available(Split split) const { return present[static_cast<int>(split)]; }
  /// Reads microbatch `microbatch` of the step that begins at `consumed`.
  absl::Status fill(Split split, int64_t consumed, int64_t microbatch,
                    BatchView batch);

private:
  std::optional<BatchSource> sources[3];
  bool present[3] = {};
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_EXEC_DATASTREAMS_H
