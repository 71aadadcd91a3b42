// Segments and vector clocks.
#include "runtime/device/cuda/ConflictTracker.h"

#include <algorithm>
#include <iterator>

namespace orrery::runtime::cuda {

ConflictTracker::ConflictTracker(int count)
    : lanes(static_cast<size_t>(count)), inLane(lanes),
      now(lanes, std::vector<uint32_t>(lanes, 0)), needed(lanes, 0) {}

void ConflictTracker::need(Action action, int lane) {
  if (action == kNone || laneOf[action] == static_cast<uint32_t>(lane))
    return;
  uint32_t &at = needed[laneOf[action]];
  at = std::max(at, position[action]);
}

void ConflictTracker::collect(const ByteAccess &access, int lane) {
  auto it = segments.upper_bound(access.begin);
  if (it != segments.begin() && std::prev(it)->second.end > access.begin)
    --it;
  for (; it != segments.end() && it->first < access.end; ++it) {
    need(it->second.writer, lane);
    if (access.write)
      for (Action reader : it->second.readers)
        need(reader, lane);
  }
}

// Drops what the lane has waited for, or will by waiting for another.
void ConflictTracker::reduce(int lane, std::vector<Action> &waits) {
  std::vector<uint32_t> &clock = now[lane];
  for (size_t l = 0; l < lanes; ++l)
    if (needed[l] > clock[l])
      waits.push_back(inLane[l][needed[l] - 1]);
  auto covered = [&](Action action) {
    return std::any_of(waits.begin(), waits.end(), [&](Action other) {
      return other != action &&
             clockOf(other)[laneOf[action]] >= position[action];
    });
  };
  // Two actions never cover each other, so dropping one after another leaves
  // every dropped one covered.
  for (size_t i = waits.size(); i-- > 0;)
    if (covered(waits[i]))
      waits.erase(waits.begin() + static_cast<std::ptrdiff_t>(i));
  for (Action action : waits)
    for (size_t l = 0; l < lanes; ++l)
      clock[l] = std::max(clock[l], clockOf(action)[l]);
}

// A segment boundary at `position`, if a segment lies across it; the first
// segment that begins there or later.
ConflictTracker::Segments::iterator ConflictTracker::splitAt(uint64_t at) {
  auto it = segments.lower_bound(at);
  if (it == segments.begin())
    return it;
  auto before = std::prev(it);
  if (before->second.end <= at)
    return it;
  Segment rest = before->second;
  before->second.end = at;
  return segments.emplace_hint(it, at, std::move(rest));
}

void ConflictTracker::read(Segment &segment, Action action) {
  for (Action &reader : segment.readers)
    if (laneOf[reader] == laneOf[action]) {
      reader = action;
      return;
    }
  segment.readers.push_back(action);
}

void ConflictTracker::apply(const ByteAccess &access, Action action) {
  auto it = splitAt(access.begin);
  splitAt(access.end);
  if (access.write) {
    while (it != segments.end() && it->first < access.end)
      it = segments.erase(it);
    segments.try_emplace(it, access.begin, access.end, action);
    return;
  }
  uint64_t begin = access.begin;
  while (begin < access.end) {
    if (it == segments.end() || it->first > begin) {
      const uint64_t end =
          it == segments.end() ? access.end : std::min(access.end, it->first);
      it = segments.try_emplace(it, begin, end, kNone);
    }
    read(it->second, action);
    begin = it->second.end;
    ++it;
  }
}

ConflictTracker::Action
ConflictTracker::add(int lane, std::span<const ByteAccess> accesses,
                     std::vector<Action> &waits) {
  waits.clear();
  std::fill(needed.begin(), needed.end(), 0);
  for (const ByteAccess &access : accesses)
    if (access.begin < access.end)
      collect(access, lane);
  reduce(lane, waits);
  const Action action = static_cast<Action>(laneOf.size());
  laneOf.push_back(static_cast<uint32_t>(lane));
  inLane[lane].push_back(action);
  position.push_back(static_cast<uint32_t>(inLane[lane].size()));
  now[lane][lane] = position.back();
  clocks.insert(clocks.end(), now[lane].begin(), now[lane].end());
  for (bool write : {false, true})
    for (const ByteAccess &access : accesses)
      if (access.write == write && access.begin < access.end)
        apply(access, action);
  return action;
}

} // namespace orrery::runtime::cuda
