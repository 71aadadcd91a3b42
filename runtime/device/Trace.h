// When every instruction ran on every rank, as a file that Perfetto and
// Chrome's tracing page open.
#ifndef ORRERY_RUNTIME_DEVICE_TRACE_H
#define ORRERY_RUNTIME_DEVICE_TRACE_H

#include "absl/status/status.h"
#include "runtime/comm/Communicator.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace orrery::runtime {

/// One instruction's run. The texts must live as long as the trace.
struct TraceEvent {
  const char *label = ""; // the operation of the IR
  const char *kind = "";  // of the instruction: "gemm", …
  const char *program = "";
  int stream = 0; // of the device; 0 computes
  int64_t step = 0, microbatch = 0;
  uint64_t flops = 0, bytes = 0; // of the instruction; bytes read and written
  double begin = 0, end = 0;     // microseconds since the trace's start
};

class Trace {
public:
  /// Events that a rank keeps; later ones are counted and dropped. About 60 MB
  /// of the file for each rank, all of which rank 0 holds when it writes.
  static constexpr size_t kCapacity = 200'000;

  /// Starts the clock; call on all ranks behind a barrier.
  void start();

  double now() const; // microseconds since start
  void add(const TraceEvent &event);
  const std::vector<TraceEvent> &all() const { return events; }
  /// Names a stream in the file, e.g. "receive"; by number from 0.
  void nameStreams(std::vector<std::string> names) {
    streams = std::move(names);
  }

  /// A collective: rank 0 writes the events of all ranks to `path`, whole or
  /// not at all. Where events were dropped, the file's "otherData" has the
  /// limit and their number, each rank concerned an instant event at its end,
  /// and rank 0 logs a warning.
  absl::Status write(const std::string &path, Communicator &world) const;

private:
  std::string toJson(int rank) const;

  std::chrono::steady_clock::time_point origin;
  std::vector<TraceEvent> events;
  std::vector<std::string> streams;
  int64_t dropped = 0;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_TRACE_H
