// What is known of a training step when it ends.
#ifndef ORRERY_RUNTIME_LOG_STEPRECORD_H
#define ORRERY_RUNTIME_LOG_STEPRECORD_H

#include <cstdint>
#include <optional>

namespace orrery::runtime {

/// One step, filled in by the executor and read by IterationLine and
/// MetricsWriter. Losses and norms are of this step, not averaged over steps.
struct StepRecord {
  int64_t step = 0;            // from 1
  int64_t consumedSamples = 0; // after the step
  int64_t globalBatchSize = 0; // samples of the step
  int64_t sequenceLength = 0;  // tokens of a sample
  double lmLoss = 0;           // mean over the step's microbatches
  double learningRate = 0;     // applied in this step
  double nextLearningRate = 0; // of the next step, what the originals print
  double lossScale = 1;
  bool skipped = false;           // overflow: no update was made
  std::optional<double> gradNorm; // before clipping; absent when skipped
  std::optional<double> paramsNorm, numZeros; // when the job logs them
  double milliseconds = 0;

  double tokensPerSecond() const {
    return milliseconds > 0
               ? 1000.0 * static_cast<double>(globalBatchSize) *
                     static_cast<double>(sequenceLength) / milliseconds
               : 0.0;
  }
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_LOG_STEPRECORD_H
