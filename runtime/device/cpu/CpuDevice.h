// CPUs as the device of a rank.
#ifndef ORRERY_RUNTIME_DEVICE_CPU_CPUDEVICE_H
#define ORRERY_RUNTIME_DEVICE_CPU_CPUDEVICE_H

#include "runtime/comm/Communicator.h"
#include "runtime/device/Device.h"
#include "runtime/plan/RankPlan.h"

#include <memory>

namespace orrery::runtime {

/// A collective over all ranks: creates the plan's communicators, loads the
/// kernels, takes the arena and prepares the programs, in this order. `rank`
/// must outlive the device. `hostArena` is the arena itself, all of it.
absl::StatusOr<std::unique_ptr<Device>>
createCpuDevice(const RankPlan &rank, CommunicatorFactory &factory,
                int threads);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CPU_CPUDEVICE_H
