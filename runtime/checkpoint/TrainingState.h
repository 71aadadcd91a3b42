// What a run needs besides tensors to go on exactly where it stopped.
#ifndef ORRERY_RUNTIME_CHECKPOINT_TRAININGSTATE_H
#define ORRERY_RUNTIME_CHECKPOINT_TRAININGSTATE_H

#include "frontend/job/Job.pb.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::runtime {

/// The learning-rate schedule, counted in samples of successful steps.
struct ScheduleState {
  double maxLr = 0;
  double minLr = 0;
  job::Train::Decay decay = job::Train::CONSTANT;
  double warmupSamples = 0;
  double decaySamples = 0;
  int64_t samples = 0; ///< position: samples of successful steps so far

  bool operator==(const ScheduleState &) const = default;
};

/// The loss scaler (Megatron-LM's dynamic gradient scaler).
struct LossScaleState {
  double scale = 1;
  int64_t growthTracker = 0; ///< good steps since the last change
  int64_t hysteresis = 0;    ///< overflows left before the scale is halved

  bool operator==(const LossScaleState &) const = default;
};

struct TrainingState {
  int64_t step = 0;          ///< steps done, skipped ones included
  int64_t optimizerStep = 0; ///< updates applied: t of Adam
  int64_t consumedTrainSamples = 0;
  int64_t consumedValidSamples = 0;
  ScheduleState schedule;
  LossScaleState lossScale;

  bool operator==(const TrainingState &) const = default;
};

/// The state before the first step: counters 0, schedule and loss scale as the
/// job says (16-bit types: the constant scale, or for FLOAT16 the initial one;
/// else 1).
TrainingState initialState(const job::JobSpec &job);

/// The schedule to go on with: the position of `saved`, and its values if they
/// equal the job's. Where they differ, the job's with override_lr_scheduler,
/// the checkpoint's with use_checkpoint_lr_scheduler (each with a note), else
/// FailedPrecondition that lists both.
absl::StatusOr<ScheduleState> resumeSchedule(const job::JobSpec &job,
                                             const ScheduleState &saved,
                                             std::vector<std::string> &notes);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_TRAININGSTATE_H
