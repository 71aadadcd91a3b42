// Names inside a folder of checkpoints, and which checkpoint a path means.
#ifndef ORRERY_RUNTIME_CHECKPOINT_CHECKPOINTFOLDER_H
#define ORRERY_RUNTIME_CHECKPOINT_CHECKPOINTFOLDER_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

namespace orrery::runtime {

constexpr char kLatestName[] = "latest";
constexpr char kTemporaryPrefix[] = ".tmp-";

/// "step_00000020"; more digits when needed.
std::string stepFolderName(int64_t step);

/// "rank_00003.safetensors".
std::string rankFileName(int32_t rank);

/// "optimizer.exp_avg.<name>".
std::string stateEntryName(absl::string_view state, absl::string_view name);

/// Paths of the entries of a folder, sorted; with an error of the system, what
/// could be listed until then.
std::vector<std::string> listFolder(const std::string &directory,
                                    std::error_code &error);

/// Paths of the step_ folders in `directory` that have a manifest, the newest
/// first; empty when there is none or `directory` cannot be read.
std::vector<std::string> checkpointsIn(const std::string &directory);

/// The folder of the checkpoint that `directory` stands for: `directory`
/// itself if it has a manifest, else the one named by `latest`, else the
/// newest step_ folder (a run that ended between its first rename and
/// `latest`). Does not open the checkpoint.
/// NotFound: no checkpoint. DataLoss: `latest` names a checkpoint that is not
/// there; the message lists the others.
absl::StatusOr<std::string> resolveCheckpoint(const std::string &directory);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_CHECKPOINTFOLDER_H
