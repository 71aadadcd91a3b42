// The training loop of a job on one rank; all ranks run it together.
#ifndef ORRERY_RUNTIME_EXEC_TRAINER_H
#define ORRERY_RUNTIME_EXEC_TRAINER_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/checkpoint/TrainingState.h"
#include "runtime/data/LearningRate.h"
#include "runtime/data/LossScaler.h"
#include "runtime/data/MicrobatchCalculator.h"
#include "runtime/device/Trace.h"
#include "runtime/exec/DataStreams.h"
#include "runtime/exec/RankExecutor.h"
#include "runtime/exec/RunOptions.h"
#include "runtime/log/IterationLine.h"
#include "runtime/log/MetricsWriter.h"

#include <chrono>
#include <optional>

namespace orrery::runtime {

/// Per step, as in Megatron-LM (megatron/training.py, train): number of
/// microbatches, step, counters, log line, validation every eval_interval,
/// checkpoint every save_interval, exit after exit_interval steps or
/// exit_duration_minutes. Behind the last step: validation, checkpoint, test.
/// During a batch-size ramp-up validation has the batch size of the step
/// before it, not yet that of the next.
///
/// An overflow consumes the step's data but moves neither the learning rate nor
/// the optimizer's step.
class Trainer {
public:
  /// `plan` and `executor` must outlive the trainer. `trace`: of the whole run,
  /// which the device has already; a profiled step is not in it. Null: none.
  Trainer(const plan::Plan &plan, const RunOptions &options,
          RankExecutor &executor, CommunicatorFactory &factory, Trace *trace);

  /// Errors as in Agreement.h, except that a failure inside a step ends all
  /// ranks through the factory.
  absl::Status run();

private:
  absl::Status begin();
  absl::Status loadWeights();
  absl::Status openOutputs();
  absl::Status tryFolders() const;
  absl::Status loop();
  absl::Status chooseBatch();
  absl::Status step();
  absl::Status report(StepRecord &record);
  absl::Status afterStep(bool &stop);
  absl::Status finish();
  absl::Status evaluate(Split split, const std::string &place,
                        int64_t &consumed);
  absl::Status save();
  absl::Status reportSpeed();
  absl::Status reportProfile();
  absl::StatusOr<bool> timeIsUp();
  bool speaks() const { return world.rank() == world.size() - 1; }
  // Ends every rank when `status` is an error that only this one knows.
  absl::Status alone(const absl::Status &status);

  const plan::Plan &plan;
  job::JobSpec job; // the plan's, with the options of the run
  const RunOptions &options;
  RankExecutor &executor;
  CommunicatorFactory &factory;
  Communicator &world;
  Trace *trace;

  TrainingState state;
  std::optional<MicrobatchCalculator> calculator;
  std::optional<LearningRate> learningRate;
  std::optional<LossScaler> scaler;
  DataStreams streams;
  IterationLine line;
  std::optional<MetricsWriter> metrics;
  struct {
    int64_t samples = 0, microbatches = 0;
  } batch;               // of the newest step; at the start of the next
  int64_t lastStep = 0;  // of this run
  int64_t savedStep = 0; // of the newest checkpoint in the folder for them
  std::chrono::steady_clock::time_point started;
  Trace profileTrace; // of the last step, when it is profiled
  struct {
    std::vector<double> milliseconds; // of all steps but a profiled one
    std::optional<double> firstLoss;
    double lastLoss = 0;
  } measured;
};

/// Loads a plan, sets up the rank, trains, writes the trace: what orrery-run
/// does between starting and ending MPI. Errors as in Agreement.h.
absl::Status runPlan(const RunOptions &options, CommunicatorFactory &factory);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_EXEC_TRAINER_H
