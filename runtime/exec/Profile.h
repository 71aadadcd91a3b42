// Where the time of a step goes, from the trace of that step.
#ifndef ORRERY_RUNTIME_EXEC_PROFILE_H
#define ORRERY_RUNTIME_EXEC_PROFILE_H

#include "runtime/device/Device.h"
#include "runtime/device/Trace.h"

#include <string>
#include <vector>

namespace orrery::runtime {

/// All instructions of one operation: kind and label without its layer.
struct ProfileRow {
  std::string kind, label;
  int64_t count = 0;
  double milliseconds = 0;
  uint64_t flops = 0, bytes = 0;
};

/// Times in milliseconds; the four parts add up to `step`.
///
///   computing                   some instruction that computes runs
///   exposed communication       none does, but a collective or a send
///   waiting for other stages    nor that, but a receive: the bubble
///   idle                        nothing: launches, the host
struct Profile {
  double step = 0;
  double computing = 0, exposedCommunication = 0, waiting = 0, idle = 0;
  double communication = 0;     // all of it, hidden or not
  std::vector<ProfileRow> rows; // most time first
};

/// Of the events of `step` alone.
Profile profileOf(const std::vector<TraceEvent> &events, int64_t step);

/// A table for people: per row time, share of the step, TFLOP/s and GB/s, both
/// also against the ceilings where these are known.
std::vector<std::string> profileTable(const Profile &profile,
                                      const DeviceCeilings &ceilings);

/// "rank 3: step 812.4 ms = computing 780.1 + exposed communication 20.0 + …".
std::string profileLine(const Profile &profile, int rank);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_EXEC_PROFILE_H
