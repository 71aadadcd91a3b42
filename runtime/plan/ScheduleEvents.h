// The programs of a class reduced to what stages exchange, and a schedule
// unrolled into runs of them; parts of checkSchedules (PlanCheck.h).
#ifndef ORRERY_RUNTIME_PLAN_SCHEDULEEVENTS_H
#define ORRERY_RUNTIME_PLAN_SCHEDULEEVENTS_H

#include "runtime/plan/Plan.pb.h"

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace orrery::runtime {

/// What a message or a collective carries; both sides must agree.
struct Payload {
  plan::ElementType type;
  int64_t elements;
  int op = -1; ///< collectives: operation, reduction, dimensions
  int reduction = 0;
  int dimension = 0;
  int concatDimension = 0;

  bool operator==(const Payload &) const = default;
};

/// "96 x F32", "ALL_REDUCE 96 x F32".
std::string payloadText(const Payload &payload);

/// An instruction that another stage takes part in.
struct Event {
  enum Kind { SEND, RECEIVE, COLLECTIVE } kind;
  uint32_t communicator;
  int32_t delta;
  int32_t tag;
  Payload payload;
  int instruction;
  uint32_t buffer;
};

/// A program of a class, reduced to what the walk needs.
struct ProgramEvents {
  const plan::Program *program;
  std::vector<Event> events;
  std::set<uint32_t> slotted; ///< buffers that hold one microbatch per slot
};

/// By name of the program.
using EventTable = std::map<std::string, ProgramEvents>;

/// Fails when two programs have one name.
absl::StatusOr<EventTable> eventTable(const plan::Plan &plan,
                                      const plan::RankClass &rankClass);

/// How often a phase runs its programs in a step of `microbatches`
/// microbatches on a member with that `warmup`.
int64_t runsOf(plan::Schedule::Phase::Count count, int64_t warmup,
               int64_t microbatches);

/// One run of a program.
struct Run {
  const ProgramEvents *program;
  int64_t microbatch;
  bool perMicrobatch;
};

/// The runs of one step on one stage, in order. Fails on a program that does
/// not exist or that misses a microbatch. `scheduleName` is for messages.
absl::StatusOr<std::vector<Run>>
unroll(const plan::RankClass &rankClass, const plan::Member &member,
       const EventTable &table, const plan::Schedule &schedule,
       absl::string_view scheduleName, int64_t microbatches);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_SCHEDULEEVENTS_H
