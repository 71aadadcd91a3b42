// What a rank's programs run on: one arena, the plan's instructions, and the
// messages between ranks. The executor knows no more of it than this.
#ifndef ORRERY_RUNTIME_DEVICE_DEVICE_H
#define ORRERY_RUNTIME_DEVICE_DEVICE_H

#include "absl/status/statusor.h"
#include "runtime/data/Batch.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::runtime {

class Trace;

/// Writes microbatch `microbatch` of the current step into `batch`.
using BatchReader =
    std::function<absl::Status(int64_t microbatch, BatchView batch)>;

/// A value for the SCALAR buffer of that name (Plan.proto, message Buffer).
struct NamedScalar {
  std::string_view name;
  double value;
};

/// One run of a rank's train or evaluate schedule.
struct ScheduleRun {
  bool train = true;
  int64_t step = 0; // of training, from 1; seeds dropout
  int64_t microbatches = 1;
  std::span<const NamedScalar> scalars; // others that the host sets keep theirs
};

/// What a device can do at most, as measured on it when asked; 0: not known.
struct DeviceCeilings {
  double flopsPerSecond = 0; // of a large matrix product
  double bytesPerSecond = 0; // of a large copy, read and written
};

class Device {
public:
  virtual ~Device() = default;

  /// Gradients (of a train schedule) and everything that programs write into
  /// scalars start at zero; then the schedule runs to its end. `reader` is
  /// called once for each microbatch, in order, on ranks that read data.
  virtual absl::Status run(const ScheduleRun &run,
                           const BatchReader &reader) = 0;
  /// A scalar as the last run left it; nothing where the rank has none of that
  /// name.
  virtual std::optional<double> scalar(std::string_view name) const = 0;
  /// Whether the rank's class has input buffers.
  virtual bool readsData() const = 0;

  /// The arena in host memory, for weights and optimizer state alone: their
  /// present values. Stays valid until the next run.
  virtual absl::StatusOr<std::byte *> hostArena() = 0;
  /// Takes over what the host changed in `hostArena`.
  virtual absl::Status updateFromHost() = 0;

  /// Where this rank's memory goes, a line each, for the log.
  virtual std::vector<std::string> memoryReport() const = 0;
  /// Bytes of the device's memory that this rank has taken, all in all.
  virtual int64_t memoryBytes() const = 0;
  /// Measured now, beside the arena; may take a second.
  virtual absl::StatusOr<DeviceCeilings> measureCeilings() {
    return DeviceCeilings();
  }
  /// Instructions are timed from here on; null: no more.
  virtual void setTrace(Trace *trace) = 0;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_DEVICE_H
