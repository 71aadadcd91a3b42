// Computes batch sizes and microbatch counts.
#include "runtime/data/MicrobatchCalculator.h"

#include "frontend/job/BatchSchedule.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <algorithm>

namespace orrery::runtime {

absl::StatusOr<MicrobatchCalculator>
MicrobatchCalculator::create(const job::Parallel &parallel) {
  MicrobatchCalculator calculator;
  calculator.global = parallel.global_batch_size();
  calculator.wide = parallel.micro_batch_size() * std::max(1, parallel.data());
  const int64_t g = calculator.global, wide = calculator.wide;
  if (wide < 1 || g < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("global batch size ", g, " and micro batch size ",
                     parallel.micro_batch_size(), " must be at least 1"));
  if (g % wide != 0)
    return absl::InvalidArgumentError(absl::StrCat(
        "global batch size ", g, " is not divisible by micro batch size ",
        parallel.micro_batch_size(), " times data-parallel size ",
        parallel.data(), "; the nearest legal sizes are ",
        std::max(wide, g / wide * wide), " and ", (g / wide + 1) * wide));
  if (!parallel.has_ramp_up())
    return calculator;
  const job::BatchRampUp &ramp = parallel.ramp_up();
  if (ramp.start() < 1 || ramp.increment() < 1 || ramp.samples() < 0 ||
      ramp.start() > g || (g - ramp.start()) % ramp.increment() != 0)
    return absl::InvalidArgumentError(absl::StrCat(
        "batch size ramp-up ", ramp.start(), " ", ramp.increment(), " ",
        ramp.samples(), " does not reach ", g,
        ": start and increment must be at least 1, the samples at least 0, "
        "and the increment must divide ",
        g - ramp.start()));
  // Over no samples, or from G to G: nothing ramps up.
  if (ramp.samples() > 0 && ramp.start() < g)
    calculator.rampUp = ramp;
  return calculator;
}

int64_t MicrobatchCalculator::globalBatchSize(int64_t consumedSamples) const {
  return rampUp ? job::batchAt(*rampUp, global, consumedSamples) : global;
}

absl::StatusOr<int64_t>
MicrobatchCalculator::microbatches(int64_t consumedSamples) const {
  const int64_t current = globalBatchSize(consumedSamples);
  if (current % wide != 0)
    return absl::InvalidArgumentError(absl::StrCat(
        "after ", consumedSamples, " samples the batch size ramp-up is at ",
        current,
        ", which is not divisible by micro batch size times "
        "data-parallel size, ",
        wide, "; the multiples beside it are ", current / wide * wide, " and ",
        (current / wide + 1) * wide));
  return current / wide;
}

} // namespace orrery::runtime
