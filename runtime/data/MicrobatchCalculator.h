// How many microbatches a step has, constant or ramping up.
#ifndef ORRERY_RUNTIME_DATA_MICROBATCHCALCULATOR_H
#define ORRERY_RUNTIME_DATA_MICROBATCHCALCULATOR_H

#include "frontend/job/Job.pb.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <optional>

namespace orrery::runtime {

/// Global batch size and microbatches per replica of a step, as functions of
/// the samples consumed before it (job::batchAt). A ramp-up over 0 samples, or
/// from G to G, is G throughout; the original divides by zero.
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

private:
  int64_t global = 0, wide = 0; // G, b * d
  std::optional<job::BatchRampUp> rampUp;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_MICROBATCHCALCULATOR_H
