// The order of the checks: structure, instructions, schedules.
#include "runtime/plan/PlanCheck.h"

#include "runtime/plan/PlanFile.h"

#include "absl/strings/str_cat.h"

#include <algorithm>

namespace orrery::runtime {

static absl::Status fault(const std::string &text) {
  return absl::InvalidArgumentError(absl::StrCat("plan: ", text));
}

/// Samples per microbatch over all replicas; 0 when the plan has no job.
static int64_t samplesPerMicrobatch(const plan::Plan &plan, const Mesh &mesh) {
  return plan.job().parallel().micro_batch_size() * mesh.axisSize("dp");
}

std::vector<int64_t> microbatchCounts(const plan::Plan &plan,
                                      const Mesh &mesh) {
  const job::Parallel &parallel = plan.job().parallel();
  int64_t few = 2 * int64_t{mesh.axisSize("pp")} + 2;
  std::vector<int64_t> counts;
  if (!plan.has_job()) {
    for (int64_t count = 1; count <= few; ++count)
      counts.push_back(count);
    return counts;
  }
  int64_t samples = samplesPerMicrobatch(plan, mesh);
  int64_t largest = parallel.global_batch_size() / samples;
  if (parallel.has_ramp_up()) {
    int64_t increment =
        std::max<int64_t>(1, parallel.ramp_up().increment() / samples);
    int64_t count = std::max<int64_t>(1, parallel.ramp_up().start() / samples);
    for (; count < std::min(few, largest); count += increment)
      counts.push_back(count);
  }
  counts.push_back(largest);
  return counts;
}

static absl::Status checkFormat(const plan::Plan &plan, const Mesh &mesh) {
  if (plan.format() != kPlanFormat)
    return fault(absl::StrCat("schema version ", plan.format(),
                              ", this build runs version ", kPlanFormat));
  if (!plan.has_job())
    return absl::OkStatus();
  const job::Parallel &parallel = plan.job().parallel();
  if (parallel.world_size() != mesh.worldSize())
    return fault(absl::StrCat("the job has ", parallel.world_size(),
                              " ranks, the mesh has ", mesh.worldSize()));
  // Larger sizes than these are a damaged job, not a training run.
  constexpr int64_t kMaxSamples = int64_t{1} << 31;
  constexpr int64_t kMaxMicrobatches = int64_t{1} << 20;
  const job::BatchRampUp &ramp = parallel.ramp_up();
  for (int64_t samples :
       {parallel.micro_batch_size(), parallel.global_batch_size()})
    if (samples < 1 || samples > kMaxSamples)
      return fault(absl::StrCat("a batch of ", samples,
                                " samples, expected 1..", kMaxSamples));
  for (int64_t samples : {ramp.start(), ramp.increment()})
    if (samples < 0 || samples > kMaxSamples)
      return fault(absl::StrCat("a batch-size ramp-up by ", samples,
                                " samples, expected 0..", kMaxSamples));
  int64_t samples = samplesPerMicrobatch(plan, mesh);
  if (parallel.global_batch_size() % samples)
    return fault(absl::StrCat("global batch of ", parallel.global_batch_size(),
                              " samples is not a multiple of micro batch ",
                              parallel.micro_batch_size(), " * dp ",
                              mesh.axisSize("dp")));
  if (parallel.global_batch_size() / samples > kMaxMicrobatches)
    return fault(
        absl::StrCat("a step of ", parallel.global_batch_size() / samples,
                     " microbatches exceeds the limit of ", kMaxMicrobatches));
  return absl::OkStatus();
}

absl::Status checkPlan(const plan::Plan &plan) {
  absl::StatusOr<Mesh> mesh = Mesh::create(plan.mesh());
  if (!mesh.ok())
    return mesh.status();
  if (absl::Status status = checkFormat(plan, *mesh); !status.ok())
    return status;
  if (absl::Status status = checkStructure(plan, *mesh); !status.ok())
    return status;
  for (const plan::RankClass &rankClass : plan.classes()) {
    absl::Status status = checkInstructions(plan, *mesh, rankClass);
    if (status.ok())
      status = checkOverwrites(rankClass);
    if (!status.ok())
      return status;
  }
  for (int64_t microbatches : microbatchCounts(plan, *mesh))
    if (absl::Status status = checkSchedules(plan, *mesh, microbatches);
        !status.ok())
      return status;
  return absl::OkStatus();
}

} // namespace orrery::runtime
