// Follows overflows with the loss scale.
#include "runtime/data/LossScaler.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cmath>

namespace orrery::runtime {

absl::StatusOr<LossScaler> LossScaler::create(const job::JobSpec &job) {
  const job::Train &train = job.train();
  LossScaler scaler;
  const bool sixteenBit = job.model().dtype() == job::FLOAT16 ||
                          job.model().dtype() == job::BFLOAT16;
  if (sixteenBit && train.constant_loss_scale() != 0) {
    scaler.how = Kind::Constant;
    scaler.state_.scale = train.constant_loss_scale();
  } else if (job.model().dtype() == job::FLOAT16) {
    scaler.how = Kind::Dynamic;
    scaler.minimum = train.min_loss_scale();
    scaler.window = train.loss_scale_window();
    scaler.patience = train.loss_scale_hysteresis();
    scaler.state_ = {train.initial_loss_scale(), 0, scaler.patience};
    if (!(scaler.minimum > 0) || !(scaler.window >= 1) || scaler.patience < 1)
      return absl::InvalidArgumentError(absl::StrCat(
          "dynamic loss scale with minimum ", scaler.minimum, ", window ",
          scaler.window, " and hysteresis ", scaler.patience,
          ": the minimum must be positive, the others at least 1"));
    if (!(scaler.state_.scale >= scaler.minimum))
      return absl::InvalidArgumentError(
          absl::StrCat("initial loss scale ", scaler.state_.scale,
                       " is below the minimum loss scale ", scaler.minimum));
  }
  if (!(scaler.state_.scale > 0) || !std::isfinite(scaler.state_.scale))
    return absl::InvalidArgumentError(absl::StrCat(
        "loss scale ", scaler.state_.scale, " must be positive and finite"));
  return scaler;
}

bool LossScaler::update(bool overflow) {
  if (how != Kind::Dynamic)
    return overflow && how == Kind::Constant;
  if (overflow) {
    state_.good = 0;
    if (--state_.hysteresis <= 0)
      state_.scale = std::max(state_.scale * 0.5, minimum);
    return true;
  }
  if (static_cast<double>(++state_.good) == window) {
    state_.good = 0;
    state_.hysteresis = patience;
    state_.scale *= 2.0;
  }
  return false;
}

} // namespace orrery::runtime
