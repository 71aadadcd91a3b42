// The SCALAR buffers through which host and programs talk; Plan.proto, message
// Buffer, lists their names.
#ifndef ORRERY_RUNTIME_DEVICE_HOSTSCALARS_H
#define ORRERY_RUNTIME_DEVICE_HOSTSCALARS_H

#include "runtime/plan/RankPlan.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::runtime {

class HostScalars {
public:
  HostScalars(const RankPlan &rank, std::byte *arena);

  /// Zeroes everything the programs write: metrics and their accumulators.
  void clearMetrics();
  /// Sets a scalar if the rank has it.
  void set(std::string_view name, double value);
  /// The value, if the rank has the scalar.
  std::optional<double> read(std::string_view name) const;

private:
  struct Scalar {
    std::string name;
    std::byte *address;
    plan::ElementType type;
    uint64_t bytes;
    bool input;
  };
  std::vector<Scalar> scalars;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_HOSTSCALARS_H
