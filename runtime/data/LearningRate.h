// The learning-rate schedule: warm-up, then constant, linear or cosine decay.
#ifndef ORRERY_RUNTIME_DATA_LEARNINGRATE_H
#define ORRERY_RUNTIME_DATA_LEARNINGRATE_H

#include "frontend/job/Job.pb.h"

#include "absl/status/statusor.h"

#include <cstdint>

namespace orrery::runtime {

/// Learning rate as a function of x, the samples of all *successful* steps: a
/// step that is skipped for an overflow consumes data but does not move x. The
/// first step is taken at x = 0, so with warm-up its rate is 0.
///
///   x <= w, w > 0    max * x / w
///   constant         max
///   x > decay        min
///   else, r = (x - w) / (decay - w):
///     linear         min + (1 - r) * (max - min)
///     cosine         min + (cos(pi r) + 1) / 2 * (max - min)
///
/// Source: Megatron-LM megatron/learning_rates.py (AnnealingLR).
class LearningRate {
public:
  /// Errors: InvalidArgument unless max >= min >= 0 and w < decay.
  static absl::StatusOr<LearningRate> create(const job::Train &train);

  /// The rate of the next step, when `samples` have been trained on.
  double at(int64_t samples) const;

private:
  double maximum = 0, minimum = 0;
  double warmup = 0, decay = 0; // samples
  job::Train::Decay style = job::Train::LINEAR;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_LEARNINGRATE_H
