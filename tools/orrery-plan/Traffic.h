// What a rank sends and receives in one step, counted from its programs.
#ifndef ORRERY_TOOLS_ORRERY_PLAN_TRAFFIC_H
#define ORRERY_TOOLS_ORRERY_PLAN_TRAFFIC_H

#include "runtime/plan/Plan.pb.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace orrery {

/// Calls and bytes of one kind of message over one communicator.
struct Traffic {
  int64_t calls = 0;
  int64_t payload = 0; // bytes of the whole value, per rank
  int64_t wire = 0;    // bytes that leave the rank with a ring algorithm
};

/// (operation, communicator) → traffic of one training step with
/// `microbatches` on a rank of `rankClass`. all_slice sends nothing and is left
/// out.
std::map<std::pair<std::string, std::string>, Traffic>
countTraffic(const plan::Plan &plan, const plan::RankClass &rankClass,
             const plan::Member &member, int64_t microbatches);

/// Floating-point operations of one training step on a rank of the class.
int64_t countFlops(const plan::RankClass &rankClass, const plan::Member &member,
                   int64_t microbatches);

/// Microbatches of a step at the full batch size.
int64_t getMicrobatches(const plan::Plan &plan);

} // namespace orrery

#endif // ORRERY_TOOLS_ORRERY_PLAN_TRAFFIC_H
