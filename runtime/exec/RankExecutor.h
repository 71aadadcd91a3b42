// One rank's part of a plan, ready to run on its device.
#ifndef ORRERY_RUNTIME_EXEC_RANKEXECUTOR_H
#define ORRERY_RUNTIME_EXEC_RANKEXECUTOR_H

#include "absl/status/statusor.h"
#include "runtime/comm/Communicator.h"
#include "runtime/device/Device.h"
#include "runtime/exec/RunOptions.h"
#include "runtime/plan/RankPlan.h"

#include <memory>
#include <optional>

namespace orrery::runtime {

/// What the host decides about a training step.
struct StepSettings {
  int64_t step = 1; // from 1; seeds dropout
  int64_t microbatches = 1;
  double learningRate = 0;
  float lossScale = 1;
  float inverseScale = 1;
  int64_t optimizerStep = 1; // t of Adam, this step's
};

/// What a step leaves in the scalars; a rank has those of its stage.
struct StepMetrics {
  std::optional<double> lmLoss; // mean over microbatches
  std::optional<double> gradNorm, paramsNorm, numZeros;
  bool overflow = false;
};

class RankExecutor {
public:
  /// A collective over all ranks: creates the plan's communicators first. The
  /// plan's target chooses the device. Requires a plan that passed checkPlan
  /// and outlives the executor.
  static absl::StatusOr<std::unique_ptr<RankExecutor>>
  create(const plan::Plan &plan, CommunicatorFactory &factory,
         const RunOptions &options);

  const RankPlan &rankPlan() const { return rank; }
  Device &device() { return *own; }
  bool readsData() const { return own->readsData(); }

  /// Metrics start from zero, and gradients that no product overwrites; then
  /// the train schedule.
  absl::StatusOr<StepMetrics> trainStep(const StepSettings &settings,
                                        const BatchReader &reader);
  /// The evaluate schedule; the loss is the mean over microbatches, absent on
  /// ranks that do not compute it.
  absl::StatusOr<std::optional<double>> evaluate(int64_t microbatches,
                                                 const BatchReader &reader);

private:
  explicit RankExecutor(RankPlan plan);

  RankPlan rank;
  double beta1, beta2;
  std::unique_ptr<Device> own;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_EXEC_RANKEXECUTOR_H
