// A schedule unrolled for a number of microbatches: what runs when, which
// messages are posted before it, and when inputs are read.
#ifndef ORRERY_RUNTIME_DEVICE_TIMELINE_H
#define ORRERY_RUNTIME_DEVICE_TIMELINE_H

#include "runtime/plan/RankPlan.h"

#include <cstdint>
#include <set>
#include <vector>

namespace orrery::runtime {

/// A send or receive of a program.
struct ScheduledTransfer {
  size_t instruction = 0; // of the program
  bool send = false;
  uint32_t buffer = 0; // of the class
  int64_t slots = 1;   // of the buffer
};

/// A program and what its runs have to do with buffers that exist by slot.
struct ScheduledProgram {
  std::string name;
  std::set<uint32_t> buffers;               // of the class, that it touches
  std::vector<ScheduledTransfer> transfers; // in order
  bool readsInput = false;
};

/// The programs of the rank's class, in the plan's order.
std::vector<ScheduledProgram> scheduledPrograms(const RankPlan &rank);

/// A receive to post: transfer `transfer` of the program of run `run`.
struct Posting {
  size_t run = 0;
  size_t transfer = 0;
};

struct TimelineRun {
  size_t program = 0; // index into the scheduled programs
  int64_t microbatch = 0;
  bool fillsInput = false;       // first run of the microbatch that reads input
  bool last = false;             // the program's last run of the step
  std::vector<Posting> postings; // before the run starts
};

/// Phases in order, each as often as its count says. 1F1B on stage 0 of 2 with
/// four microbatches and warm-up 1:
///
///   F0  F1 B0  F2 B1  F3 B2  B3  update
///
/// A receive is posted one run ahead of its own, unless an earlier run still
/// uses the slot it writes to; then right behind that run.
std::vector<TimelineRun>
unrollSchedule(const plan::Schedule &schedule, int64_t warmup,
               int64_t microbatches,
               const std::vector<ScheduledProgram> &programs);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_TIMELINE_H
