// Computes the learning rate of a step.
#include "runtime/data/LearningRate.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <cmath>
#include <numbers>

namespace orrery::runtime {

absl::StatusOr<LearningRate> LearningRate::create(const job::Train &train) {
  // Comparisons are written so that NaN fails them.
  if (!(train.min_lr() >= 0) || !(train.lr() >= train.min_lr()))
    return absl::InvalidArgumentError(
        absl::StrCat("learning rate ", train.lr(), " with minimum ",
                     train.min_lr(), ": 0 <= minimum <= rate must hold"));
  if (!(train.lr_decay_samples() > 0) || !(train.lr_warmup_samples() >= 0) ||
      !(train.lr_warmup_samples() < train.lr_decay_samples()))
    return absl::InvalidArgumentError(absl::StrCat(
        "learning rate warms up over ", train.lr_warmup_samples(),
        " samples and has decayed after ", train.lr_decay_samples(),
        ": the warm-up must be at least 0 and shorter than the decay"));
  LearningRate rate;
  rate.maximum = train.lr();
  rate.minimum = train.min_lr();
  rate.warmup = train.lr_warmup_samples();
  rate.decay = train.lr_decay_samples();
  rate.style = train.decay();
  return rate;
}

double LearningRate::at(int64_t samples) const {
  const double x = static_cast<double>(samples);
  if (warmup > 0 && x <= warmup)
    return maximum * x / warmup;
  if (style == job::Train::CONSTANT)
    return maximum;
  if (x > decay)
    return minimum;
  const double ratio = (x - warmup) / (decay - warmup);
  const double share = style == job::Train::LINEAR
                           ? 1.0 - ratio
                           : 0.5 * (std::cos(std::numbers::pi * ratio) + 1.0);
  return minimum + share * (maximum - minimum);
}

} // namespace orrery::runtime
