// Loss scaling of 16-bit training, constant or dynamic.
#ifndef ORRERY_RUNTIME_DATA_LOSSSCALER_H
#define ORRERY_RUNTIME_DATA_LOSSSCALER_H

#include "frontend/job/Job.pb.h"

#include "absl/status/statusor.h"

#include <cstdint>

namespace orrery::runtime {

/// The loss is multiplied by scale() before the backward pass and gradients by
/// inverse() after it. None: float32, and bfloat16 without --loss-scale; the
/// scale is 1 and overflows are not looked for. Constant: steps that overflow
/// are skipped. Dynamic (float16 by default):
///
///   overflow  good := 0, hysteresis -= 1; when hysteresis <= 0,
///             scale := max(scale / 2, min)
///   good      good += 1; when good = window: good := 0, scale *= 2,
///             hysteresis := its initial value
///
/// A back-off does not restore the hysteresis, so from the second overflow on
/// each further one halves the scale until a whole window was good.
/// Source: Megatron-LM megatron/optimizer/grad_scaler.py.
class LossScaler {
public:
  enum class Kind { None, Constant, Dynamic };
  /// What a checkpoint keeps.
  struct State {
    double scale = 1;
    int64_t good = 0;
    int64_t hysteresis = 0;
  };

  /// Errors: InvalidArgument when a scale is not positive, the window or the
  /// hysteresis below 1.
  static absl::StatusOr<LossScaler> create(const job::JobSpec &job);

  Kind kind() const { return how; }
  /// Whether gradients are to be searched for infinities and NaNs.
  bool checksOverflow() const { return how != Kind::None; }
  float scale() const { return static_cast<float>(state_.scale); }
  /// 1 / scale, divided in double and rounded to float as in the original.
  float inverse() const { return static_cast<float>(1.0 / state_.scale); }

  /// Takes in whether the step's gradients overflowed on any rank; returns
  /// whether the step is to be skipped.
  bool update(bool overflow);

  const State &state() const { return state_; }
  void restore(const State &state) { state_ = state; }

private:
  Kind how = Kind::None;
  double minimum = 1, window = 0;
  int64_t patience = 0;
  State state_;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_LOSSSCALER_H
