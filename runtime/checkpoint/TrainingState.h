// What a run needs besides tensors to go on exactly where it stopped.
#ifndef ORRERY_RUNTIME_CHECKPOINT_TRAININGSTATE_H
#define ORRERY_RUNTIME_CHECKPOINT_TRAININGSTATE_H

#include <cstdint>

namespace orrery::runtime {

/// The learning-rate schedule, counted in samples of successful steps.
struct ScheduleState {
  double maxLr = 0;
  double minLr = 0;
  int32_t decay = 0;         ///< job::Train::Decay
  double warmupSamples = 0;
  double decaySamples = 0;
  int64_t samples = 0;       ///< position: samples of successful steps so far
};

/// The loss scaler (Megatron-LM's dynamic gradient scaler).
struct LossScaleState {
  double scale = 1;
  int64_t growthTracker = 0; ///< good steps since the last change
  int64_t hysteresis = 0;    ///< overflows left before the scale is halved
};

struct TrainingState {
  int64_t step = 0;                 ///< steps done, skipped ones included
  int64_t optimizerStep = 0;        ///< updates applied: t of Adam
  int64_t consumedTrainSamples = 0;
  int64_t consumedValidSamples = 0;
  ScheduleState schedule;
  LossScaleState lossScale;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_TRAININGSTATE_H
