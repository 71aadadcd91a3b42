// Loading weights and checkpoints of any layout into any other.
//
// Each rank reads, for every shard of its own, the boxes of the files that
// overlap it. Everything is checked before the arena is touched: manifest,
// file sizes and headers, that the shards of each tensor tile it, that names
// and shapes agree with the whole plan (so that every rank reports the same
// error), and the checksum of every entry the rank reads.
//
// The padded vocabulary depends on tensor parallelism. Where dimension 0 of a
// tensor is the padded vocabulary of the plan and differs in the file, rows
// beyond the smaller are dropped, or initialised as for a new run (optimizer
// state: zero), if and only if they are at or beyond the tokenizer's
// vocabulary; a note says so.
//
// 16-bit jobs keep fp32 master weights: a file without them gives the weights
// as masters; a job without masters takes weights from a file's masters.
#ifndef ORRERY_RUNTIME_CHECKPOINT_CHECKPOINTREADER_H
#define ORRERY_RUNTIME_CHECKPOINT_CHECKPOINTREADER_H

#include "runtime/checkpoint/TrainingState.h"
#include "runtime/plan/RankPlan.h"

#include "absl/status/statusor.h"

#include <cstddef>
#include <string>
#include <vector>

namespace orrery::runtime {

struct LoadResult {
  /// What was loaded: a file, or the folder of one checkpoint.
  std::string path;
  /// True for a checkpoint, false for a file of weights.
  bool hasState = false;
  /// Where to go on. For weights alone: the start of a new run.
  TrainingState state;
  /// Sentences for the log, the same on every rank.
  std::vector<std::string> notes;
};

/// What `--load PATH` means: a file is weights in safetensors; a folder with
/// `latest` (or step_ folders) is its newest whole checkpoint; a folder with a
/// manifest is that checkpoint. Fills weights and optimizer state of the rank
/// in `arena` (member->arena_bytes() bytes) and zeroes gradients and padding.
///
/// Honours of the job: load_optimizer (false: fresh optimizer state and
/// counters, as for weights alone, but the step goes on), finetune (weights
/// only, step 0), override_lr_scheduler and use_checkpoint_lr_scheduler.
///
/// NotFound: no such path. DataLoss: damaged, truncated or missing files; the
/// message names other checkpoints of the folder to fall back to. A damaged
/// entry is seen only by the ranks that need it: agree on the outcome before
/// training. FailedPrecondition: the checkpoint is of another model; lists
/// every missing, extra and differing tensor or field. `arena` is untouched on
/// error.
absl::StatusOr<LoadResult> load(const RankPlan &rank, const std::string &path,
                                std::byte *arena);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_CHECKPOINTREADER_H
