// Running one prepared instruction.
#ifndef ORRERY_RUNTIME_DEVICE_CPU_DISPATCH_H
#define ORRERY_RUNTIME_DEVICE_CPU_DISPATCH_H

#include "absl/status/status.h"
#include "runtime/device/StepKeys.h"
#include "runtime/device/cpu/Prepared.h"

namespace orrery::runtime {

/// What all instructions of a rank share.
struct DispatchContext {
  const StepKeys &keys;
  std::byte *scratch; // of the size that preparing found
  int threads;
};

/// Runs the instruction for a microbatch. Transfers are not run here: Internal.
/// Rows of a launch are cut into `threads` equal parts, always the same.
absl::Status dispatch(PreparedInstruction &instruction, int64_t microbatch,
                      const DispatchContext &context);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CPU_DISPATCH_H
