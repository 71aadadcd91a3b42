// What this GPU does at most, measured beside a rank's memory.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_CEILINGS_H
#define ORRERY_RUNTIME_DEVICE_CUDA_CEILINGS_H

#include "absl/status/statusor.h"
#include "runtime/device/Device.h"
#include "runtime/device/cuda/PlanGemms.h"

namespace orrery::runtime::cuda {

/// A product of square matrices of the type that most of the plan's products
/// have, 8192 rows or as many as the free memory holds, by the algorithm that
/// is fastest here; and a copy of 512 MiB, or less. 0 where the memory does not
/// even hold a small one, or the plan has no products.
absl::StatusOr<DeviceCeilings> measureCeilings(PlanGemms &gemms);

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_CEILINGS_H
