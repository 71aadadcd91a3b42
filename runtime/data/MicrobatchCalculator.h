// How many microbatches a step has, constant or ramping up.
#ifndef ORRERY_RUNTIME_DATA_MICROBATCHCALCULATOR_H
#define ORRERY_RUNTIME_DATA_MICROBATCHCALCULATOR_H

#include "frontend/job/Job.pb.h"

#include "absl/status/statusor.h"

#include <cstdint>

namespace orrery::runtime {

/// Global batch size and microbatches per replica of a step, as functions of
/// the samples consumed before it.
///
/// With a ramp-up from `start` by `increment` over `samples` to G:
///   consumed <= samples:  start + floor(consumed / per) * increment,
///                         per = samples / ((G - start) / increment)
///   else                  G
/// A ramp-up over 0 samples, or from G to G, is G throughout (the original
/// divides by zero).
/// Source: Megatron-LM megatron/microbatches.py.
class MicrobatchCalculator {
public:
  /// Errors: InvalidArgument when G is no multiple of b * d or the ramp-up is
  /// not positive and even.
  static absl::StatusOr<MicrobatchCalculator>
  create(const job::Parallel &parallel);

  int64_t globalBatchSize(int64_t consumedSamples) const;

  /// Microbatches of the step on each replica. Error: InvalidArgument when
  /// the ramp-up passes a size that is no multiple of b * d; names the size
  /// and the multiples beside it.
  absl::StatusOr<int64_t> microbatches(int64_t consumedSamples) const;

  /// Whole batches that `samples` give, counted through the ramp-up. (Where
  /// the samples end inside the ramp-up, the original counts on to its end.)
  int64_t stepsFor(int64_t samples) const;

private:
  bool rampsUp() const { return steps > 0 && rampSamples > 0; }

  int64_t global = 0, wide = 0; // G, b * d
  int64_t start = 0, increment = 0, rampSamples = 0, steps = 0;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_MICROBATCHCALCULATOR_H
