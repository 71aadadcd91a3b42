// Unions of the buffers' byte ranges.
#include "tools/orrery-plan/ArenaUse.h"

#include "runtime/plan/RankPlan.h"

#include <algorithm>

using namespace orrery;

using Range = std::pair<uint64_t, uint64_t>; // begin, end

/// Total length of the union of ranges; sorts them.
static uint64_t unionBytes(std::vector<Range> &ranges) {
  std::sort(ranges.begin(), ranges.end());
  uint64_t total = 0, end = 0;
  for (const Range &range : ranges) {
    uint64_t begin = std::max(range.first, end);
    if (range.second > begin)
      total += range.second - begin;
    end = std::max(end, range.second);
  }
  return total;
}

static std::string lowerCase(std::string text) {
  for (char &c : text)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::vector<std::pair<std::string, int64_t>>
orrery::arenaUse(const plan::RankClass &rankClass, const plan::Member &member) {
  std::vector<std::pair<std::string, int64_t>> use;
  std::vector<Range> ranges;
  uint64_t taken = 0;
  for (int kind = plan::Buffer::WEIGHT; kind <= plan::Buffer::SCALAR; ++kind) {
    for (const plan::Buffer &buffer : rankClass.buffers())
      if (buffer.kind() == kind)
        for (uint32_t slot = 0; slot < runtime::slotsOf(buffer, member); ++slot)
          ranges.push_back(
              {buffer.offset() + slot * buffer.slot_stride(),
               buffer.offset() + slot * buffer.slot_stride() + buffer.bytes()});
    uint64_t sum = unionBytes(ranges);
    if (sum > taken)
      use.push_back({lowerCase(plan::Buffer::Kind_Name(
                         static_cast<plan::Buffer::Kind>(kind))),
                     static_cast<int64_t>(sum - taken)});
    taken = sum;
  }
  if (member.arena_bytes() > taken)
    use.push_back(
        {"unused", static_cast<int64_t>(member.arena_bytes() - taken)});
  return use;
}
