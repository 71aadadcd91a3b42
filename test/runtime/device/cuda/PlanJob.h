// Running a small plan on CPUs or GPUs, for comparison.
#ifndef ORRERY_TEST_RUNTIME_DEVICE_CUDA_PLANJOB_H
#define ORRERY_TEST_RUNTIME_DEVICE_CUDA_PLANJOB_H

#include "runtime/comm/Communicator.h"
#include "runtime/device/Device.h"
#include "runtime/plan/RankPlan.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace orrery::runtime {

/// What a rank ends with: weights and optimizer state by buffer, and scalars.
using EndValues = std::map<std::string, std::vector<float>>;

/// A plan on its target's device, CPUs or GPUs, on ranks that are threads.
class PlanJob {
public:
  explicit PlanJob(plan::Plan plan) : plan(std::move(plan)) {}

  /// Training steps of these numbers of microbatches on all ranks, from weights
  /// and inputs that are always the same; evaluation behind the first step
  /// where the plan has one. With `traced` every step is timed.
  absl::Status run(int ranks, const std::vector<int64_t> &microbatches,
                   bool traced);

  std::vector<EndValues> ends; // by rank
  size_t events = 0;           // of rank 0's trace

private:
  absl::StatusOr<std::unique_ptr<Device>> create(const RankPlan &rank,
                                                 CommunicatorFactory &factory);
  absl::Status setWeights(Device &device, const RankPlan &rank);
  absl::Status runStep(Device &device, int64_t step, int64_t microbatches,
                       bool train);
  absl::Status collect(Device &device, const RankPlan &rank);

  plan::Plan plan;
};

} // namespace orrery::runtime

#endif // ORRERY_TEST_RUNTIME_DEVICE_CUDA_PLANJOB_H
