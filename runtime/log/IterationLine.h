// The progress lines of Megatron-LM, character for character.
#ifndef ORRERY_RUNTIME_LOG_ITERATIONLINE_H
#define ORRERY_RUNTIME_LOG_ITERATIONLINE_H

#include "runtime/log/StepRecord.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orrery::runtime {

/// Collects steps and gives a line for every `logInterval` of them:
///
///  iteration       10/      30 | consumed samples:           80 | elapsed
/// time per iteration (ms): 12.3 | learning rate: 8.515E-04 | global batch
/// size:     8 | lm loss: 5.512345E+00 | loss scale: 1.0 | grad norm: 4.720 |
/// number of skipped iterations:   0 | number of nan iterations:   0 |
///
/// The loss is the mean over the interval's steps that were not skipped and is
/// left out unless it is positive; the time is the mean over all; learning
/// rate (the next step's), batch size, scale and norms are those of the last
/// step; `num zeros` and `params norm` follow the grad norm where they are
/// logged. A nan iteration is a skipped one whose loss is not finite.
/// Source: Megatron-LM megatron/training.py (training_log).
class IterationLine {
public:
  IterationLine(int64_t trainIterations, int64_t logInterval)
      : iterations(trainIterations),
        interval(logInterval > 0 ? logInterval : 1) {}

  /// Adds a step; gives the line when record.step is a multiple of the
  /// interval, and starts over.
  std::optional<std::string> add(const StepRecord &record);

private:
  std::string format(const StepRecord &last) const;

  int64_t iterations, interval;
  int64_t steps = 0, advanced = 0, skipped = 0, notANumber = 0;
  float lossSum = 0; // the originals add up in float32
  double milliseconds = 0;
};

/// The three lines of a validation or test pass with loss `lmLoss`, between
/// rules of dashes; PPL is exp(min(20, loss)).
///
///  validation loss at iteration 10 | lm loss value: 5.137155E+00 | lm loss
/// PPL: 1.702308E+02 |
///
/// `place` is "iteration 10", "the end of training for val data" or "… for
/// test data".
std::vector<std::string> validationLines(const std::string &place,
                                         double lmLoss);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_LOG_ITERATIONLINE_H
