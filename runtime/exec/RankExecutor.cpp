// Setting up a rank and running its steps.
#include "runtime/exec/RankExecutor.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/device/cpu/CpuDevice.h"
#ifdef ORRERY_CUDA
#include "runtime/device/cuda/CudaDevice.h"
#endif

#include <cmath>

namespace orrery::runtime {
namespace {

absl::StatusOr<std::unique_ptr<Device>>
createDevice(const RankPlan &rank, CommunicatorFactory &factory,
             const RunOptions &options) {
  const std::string &target = rank.plan->target().name();
  if (!absl::StartsWith(target, "sm_"))
    return createCpuDevice(rank, factory, options.threads);
#ifdef ORRERY_CUDA
  CudaOptions cuda;
  cuda.allowTf32 = options.allowTf32;
  cuda.searchProducts = !options.noProductSearch;
  cuda.deterministic = !options.nondeterministic;
  cuda.peerMemory = !options.noPeerMemory;
  cuda.gemmCache = options.plan.empty() ? "" : options.plan + ".gemm";
  return createCudaDevice(rank, factory, cuda);
#else
  return absl::FailedPreconditionError(absl::StrCat(
      "the plan is for GPUs (", target,
      ") and this orrery-run was built without CUDA; build it where nvcc is "
      "found, or compile the plan with --target=cpu"));
#endif
}

} // namespace

RankExecutor::RankExecutor(RankPlan plan)
    : rank(std::move(plan)), beta1(rank.plan->job().train().adam_beta1()),
      beta2(rank.plan->job().train().adam_beta2()) {}

absl::StatusOr<std::unique_ptr<RankExecutor>>
RankExecutor::create(const plan::Plan &plan, CommunicatorFactory &factory,
                     const RunOptions &options) {
  absl::StatusOr<RankPlan> rank = RankPlan::create(plan, factory.rank());
  if (!rank.ok())
    return rank.status();
  std::unique_ptr<RankExecutor> executor(new RankExecutor(*std::move(rank)));
  absl::StatusOr<std::unique_ptr<Device>> device =
      createDevice(executor->rank, factory, options);
  if (!device.ok())
    return device.status();
  executor->own = *std::move(device);
  return executor;
}

absl::StatusOr<StepMetrics>
RankExecutor::trainStep(const StepSettings &settings,
                        const BatchReader &reader) {
  const double t = static_cast<double>(settings.optimizerStep);
  const NamedScalar scalars[] = {
      {"lr", settings.learningRate},
      {"loss_seed", static_cast<double>(settings.lossScale) /
                        static_cast<double>(settings.microbatches)},
      {"inverse_scale", settings.inverseScale},
      {"correction1", 1 - std::pow(beta1, t)},
      {"correction2", 1 - std::pow(beta2, t)}};
  absl::Status status =
      own->run({true, settings.step, settings.microbatches, scalars}, reader);
  if (!status.ok())
    return absl::Status(status.code(),
                        absl::StrCat("rank ", rank.rank, ", step ",
                                     settings.step, ", ", status.message()));
  StepMetrics metrics;
  if (std::optional<double> sum = own->scalar("lm_loss"))
    metrics.lmLoss = *sum / static_cast<double>(settings.microbatches);
  metrics.gradNorm = own->scalar("grad_norm");
  metrics.paramsNorm = own->scalar("params_norm");
  metrics.numZeros = own->scalar("num_zeros");
  metrics.overflow = own->scalar("overflow").value_or(0) != 0;
  return metrics;
}

absl::StatusOr<std::optional<double>>
RankExecutor::evaluate(int64_t microbatches, const BatchReader &reader) {
  absl::Status status = own->run({false, 0, microbatches, {}}, reader);
  if (!status.ok())
    return absl::Status(
        status.code(),
        absl::StrCat("rank ", rank.rank, ", evaluation, ", status.message()));
  std::optional<double> loss = own->scalar("lm_loss");
  if (loss)
    *loss /= static_cast<double>(microbatches);
  return loss;
}

} // namespace orrery::runtime
