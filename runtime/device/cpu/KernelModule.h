// The generated kernels of a plan, loaded into this process.
#ifndef ORRERY_RUNTIME_DEVICE_CPU_KERNELMODULE_H
#define ORRERY_RUNTIME_DEVICE_CPU_KERNELMODULE_H

#include "absl/status/statusor.h"
#include "runtime/plan/Plan.pb.h"

#include <cstdint>
#include <vector>

namespace orrery::runtime {

/// Processes rows [begin, end); Plan.proto, message Kernel.
using KernelFunction = void (*)(void *const *buffers, const int64_t *scalars,
                                int64_t begin, int64_t end);

class KernelModule {
public:
  /// Checks the target, maps the object from memory and finds every symbol.
  /// Requires a plan whose checksum was verified: the object is code.
  static absl::StatusOr<KernelModule> load(const plan::Plan &plan);
  KernelModule() = default;
  KernelModule(KernelModule &&other) noexcept { *this = std::move(other); }
  KernelModule &operator=(KernelModule &&other) noexcept;
  ~KernelModule();

  /// By index into Plan.kernels.
  KernelFunction function(uint32_t kernel) const { return functions[kernel]; }

private:
  void *handle = nullptr;
  std::vector<KernelFunction> functions;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CPU_KERNELMODULE_H
