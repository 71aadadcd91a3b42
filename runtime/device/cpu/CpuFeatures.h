// Whether this machine can run a plan's kernels.
#ifndef ORRERY_RUNTIME_DEVICE_CPU_CPUFEATURES_H
#define ORRERY_RUNTIME_DEVICE_CPU_CPUFEATURES_H

#include "absl/status/status.h"
#include "runtime/plan/Plan.pb.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::runtime {

/// Features of this machine's first processor, as Linux names them.
std::set<std::string> machineFeatures();

/// What Linux calls a feature that LLVM calls `name`: "sse4.1" is "sse4_1",
/// "lzcnt" is "abm". The same name where they agree.
std::string linuxFeature(std::string_view name);

/// FailedPrecondition when the target is not "cpu", its triple is of another
/// architecture, or a feature is missing; names all of them.
absl::Status checkTarget(const plan::Target &target,
                         const std::set<std::string> &available);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CPU_CPUFEATURES_H
