// When every instruction ran on every rank, as a file that Perfetto and
// Chrome's tracing page open.
#ifndef ORRERY_RUNTIME_EXEC_TRACE_H
#define ORRERY_RUNTIME_EXEC_TRACE_H

#include "absl/status/status.h"
#include "runtime/comm/Communicator.h"
#include "runtime/device/cpu/Prepared.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace orrery::runtime {

class Trace {
public:
  /// Events that a rank keeps; later ones are counted and dropped. About 60 MB
  /// of the file for each rank, all of which rank 0 holds when it writes.
  static constexpr size_t kCapacity = 200'000;

  /// Starts the clock; call on all ranks behind a barrier.
  void start();

  double now() const; // microseconds since start
  /// `program` and `instruction` must live as long as the trace.
  void add(const PreparedProgram &program,
           const PreparedInstruction &instruction, int64_t step,
           int64_t microbatch, double begin, double end);

  /// A collective: rank 0 writes the events of all ranks to `path`, whole or
  /// not at all. Where events were dropped, the file's "otherData" has the
  /// limit and their number, each rank concerned an instant event at its end,
  /// and rank 0 logs a warning.
  absl::Status write(const std::string &path, Communicator &world) const;

private:
  struct Event {
    const PreparedProgram *program;
    const PreparedInstruction *instruction;
    int64_t step, microbatch;
    double begin, end;
  };
  std::string toJson(int rank) const;

  std::chrono::steady_clock::time_point origin;
  std::vector<Event> events;
  int64_t dropped = 0;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_EXEC_TRACE_H
