// Writing a checkpoint so that it appears whole or not at all.
//
//   DIR/latest                            "step_00000020\n"
//   DIR/step_00000020/manifest.json       state, job, files with checksums
//   DIR/step_00000020/rank_00000.safetensors
//   DIR/step_00000020/rank_00001.safetensors ...
//
// One file per rank that writes anything; every element of every parameter is
// in exactly one file (ParameterShard::writer). A file holds, under the
// original parameter names, the shard of the rank, and its optimizer state as
// `optimizer.<state>.<name>`. Its header's __metadata__ has "orrery.shards":
// the text of a JSON object
//   {"<entry>": {"shape": [global], "offset": [global], "xxh3": "<16 hex>"}}
// with the checksum of the entry's bytes. The manifest has size and header
// checksum of every file and a checksum of itself.
//
// How the executor uses it; the barriers are its own:
//
//   every rank                    rank 0
//                                 prepare()      folder DIR/.tmp-step_...
//   ----------------------------- barrier -----------------------------------
//   writeShard(rank, arena)       writeShard(rank, arena)
//   ----------------------------- all-reduce of the statuses ----------------
//                                 publish(state) manifest, one rename, latest
//   ----------------------------- barrier -----------------------------------
//
// A crash at any moment leaves `latest` on a whole checkpoint; what it leaves
// in .tmp- folders is never read and removed by the next prepare().
#ifndef ORRERY_RUNTIME_CHECKPOINT_CHECKPOINTWRITER_H
#define ORRERY_RUNTIME_CHECKPOINT_CHECKPOINTWRITER_H

#include "runtime/checkpoint/TrainingState.h"
#include "runtime/plan/Plan.pb.h"
#include "runtime/plan/RankPlan.h"

#include "absl/status/status.h"

#include <cstddef>
#include <functional>
#include <string>

namespace orrery::runtime {

/// The moments between the steps of publish().
enum class PublishStep {
  MANIFEST_WRITTEN,
  FOLDER_RENAMED,
  LATEST_WRITTEN,
  LEFTOVERS_REMOVED
};

class CheckpointWriter {
public:
  /// A checkpoint of `step` in `directory`. `plan` must outlive the writer.
  CheckpointWriter(const plan::Plan &plan, std::string directory, int64_t step);

  /// One rank: makes `directory` and an empty temporary folder in it; removes
  /// temporary folders that crashed runs left.
  absl::Status prepare();

  /// Every rank, after prepare(): writes and syncs the rank's file. Ranks that
  /// own nothing write nothing. With `save_optimizer` false in the job only
  /// weights are written.
  absl::Status writeShard(const RankPlan &rank, const std::byte *arena);

  /// One rank, after every rank's writeShard() succeeded: checks that every
  /// expected file is there and whole, writes the manifest, renames the folder
  /// and updates `latest`. An older checkpoint of the same step is replaced in
  /// one exchange. `afterStep`, for tests, is called after each step; an error
  /// from it ends publish() there.
  absl::Status
  publish(const TrainingState &state,
          const std::function<absl::Status(PublishStep)> &afterStep = nullptr);

  /// DIR/step_00000020.
  const std::string &path() const { return final; }

private:
  const plan::Plan &plan;
  std::string directory;
  std::string temporary;
  std::string final;
  int64_t step;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_CHECKPOINTWRITER_H
