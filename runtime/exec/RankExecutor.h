// One rank's part of a plan, ready to run: communicators, kernels, arena,
// prepared programs.
#ifndef ORRERY_RUNTIME_EXEC_RANKEXECUTOR_H
#define ORRERY_RUNTIME_EXEC_RANKEXECUTOR_H

#include "absl/status/statusor.h"
#include "runtime/device/cpu/Arena.h"
#include "runtime/device/cpu/KernelModule.h"
#include "runtime/device/cpu/StepKeys.h"
#include "runtime/exec/Groups.h"
#include "runtime/exec/HostScalars.h"
#include "runtime/exec/ScheduleRunner.h"

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
  /// A collective over all ranks: creates the plan's communicators first.
  /// Requires a plan that passed checkPlan and outlives the executor.
  static absl::StatusOr<std::unique_ptr<RankExecutor>>
  create(const plan::Plan &plan, CommunicatorFactory &factory, int threads);

  const RankPlan &rankPlan() const { return rank; }
  std::byte *arena() const { return memory.data(); }
  /// Bytes beside the arena: attention tiles, packed collectives.
  int64_t scratchBytes() const { return scratch.size(); }
  bool readsData() const { return feeder.needed(); }
  /// Instructions are timed from here on; null: no more.
  void setTrace(Trace *to) { trace = to; }

  /// Gradients and metrics start from zero; then the train schedule.
  absl::StatusOr<StepMetrics> trainStep(const StepSettings &settings,
                                        const BatchReader &reader);
  /// The evaluate schedule; the loss is the mean over microbatches, absent on
  /// ranks that do not compute it.
  absl::StatusOr<std::optional<double>> evaluate(int64_t microbatches,
                                                 const BatchReader &reader);

private:
  explicit RankExecutor(RankPlan plan, int threads);
  absl::Status prepare(CommunicatorFactory &factory);
  void clearGradients();

  RankPlan rank;
  int threads;
  double beta1, beta2;
  Groups groups;
  Arena memory, scratch;
  KernelModule kernels;
  StepKeys keys;
  std::deque<PreparedProgram> programs;
  std::optional<HostScalars> scalars;
  InputFeeder feeder;
  std::optional<ScheduleRunner> train, evaluation;
  Trace *trace = nullptr;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_EXEC_RANKEXECUTOR_H
