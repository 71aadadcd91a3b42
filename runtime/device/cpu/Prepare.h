// From a plan's programs to prepared ones.
#ifndef ORRERY_RUNTIME_DEVICE_CPU_PREPARE_H
#define ORRERY_RUNTIME_DEVICE_CPU_PREPARE_H

#include "absl/status/statusor.h"
#include "runtime/device/StepKeys.h"
#include "runtime/device/cpu/Prepared.h"
#include "runtime/plan/RankPlan.h"

#include <memory>
#include <vector>

namespace orrery::runtime {

/// What preparing needs to know of the rank.
struct PrepareContext {
  const RankPlan &rank;
  std::byte *arena;
  const KernelModule &kernels;
  // By index into Plan.communicators; null where the rank is in no group.
  const std::vector<std::unique_ptr<Communicator>> &communicators;
  StepKeys &keys;
  int threads;
  int64_t scratchBytes = 0; // grows to what the largest instruction needs
};

/// Requires a plan that passed checkPlan. Unimplemented where this device has
/// no form for an instruction; names class, program and instruction.
absl::StatusOr<PreparedProgram> prepareProgram(const plan::Program &program,
                                               PrepareContext &context);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CPU_PREPARE_H
