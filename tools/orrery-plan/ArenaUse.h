// How much of a rank's arena each kind of buffer takes.
#ifndef ORRERY_TOOLS_ORRERY_PLAN_ARENAUSE_H
#define ORRERY_TOOLS_ORRERY_PLAN_ARENAUSE_H

#include "runtime/plan/Plan.pb.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace orrery {

/// (kind, bytes) in the order of Buffer.Kind; the bytes of a kind are those of
/// the union of its buffers' slots, so that buffers which take turns at one
/// place count once. A byte that two kinds use counts for the first of them.
/// "unused" is alignment; the sum is the arena's size. Kinds without a byte
/// are left out.
std::vector<std::pair<std::string, int64_t>>
arenaUse(const plan::RankClass &rankClass, const plan::Member &member);

} // namespace orrery

#endif // ORRERY_TOOLS_ORRERY_PLAN_ARENAUSE_H
