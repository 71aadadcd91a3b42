// From buffers and views to ranges.
#include "runtime/device/ArenaRanges.h"

#include "runtime/plan/ElementType.h"
#include "runtime/plan/ViewCheck.h"

#include <algorithm>

namespace orrery::runtime {

std::vector<ArenaRange> rangesOf(const RankPlan &rank,
                                 plan::Buffer::Kind kind) {
  std::vector<const plan::Buffer *> sorted;
  for (const plan::Buffer &buffer : rank.rankClass->buffers())
    if (buffer.bytes() > 0)
      sorted.push_back(&buffer);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const plan::Buffer *a, const plan::Buffer *b) {
                     return a->offset() < b->offset();
                   });
  std::vector<ArenaRange> ranges;
  bool neighbour = false; // the last range is of the buffer before
  for (const plan::Buffer *buffer : sorted) {
    if (buffer->kind() != kind) {
      neighbour = false;
      continue;
    }
    const uint64_t begin = buffer->offset();
    const uint64_t end =
        begin + buffer->bytes() +
        (slotsOf(*buffer, *rank.member) - 1) * buffer->slot_stride();
    if (neighbour && begin < ranges.back().end + 256)
      ranges.back().end = std::max(ranges.back().end, end);
    else
      ranges.push_back({begin, end});
    neighbour = true;
  }
  return ranges;
}

// C of every product that overwrites; the plan's check has it without gaps.
static std::vector<ArenaRange> overwritten(const RankPlan &rank) {
  std::vector<ArenaRange> ranges;
  for (const plan::Program &program : rank.rankClass->programs())
    for (const plan::Instruction &instruction : program.instructions()) {
      if (!instruction.gemm().first_run_overwrites())
        continue;
      const plan::View &c = instruction.gemm().c();
      const uint64_t begin =
          rank.rankClass->buffers(static_cast<int>(c.buffer())).offset() +
          c.offset();
      ranges.push_back(
          {begin, begin + static_cast<uint64_t>(viewElements(c) *
                                                elementBytes(c.type()))});
    }
  std::sort(ranges.begin(), ranges.end(),
            [](const ArenaRange &a, const ArenaRange &b) {
              return a.begin < b.begin;
            });
  return ranges;
}

std::vector<ArenaRange> rangesToClear(const RankPlan &rank) {
  const std::vector<ArenaRange> written = overwritten(rank);
  std::vector<ArenaRange> ranges;
  auto next = written.begin();
  for (ArenaRange left : rangesOf(rank, plan::Buffer::GRADIENT)) {
    for (; next != written.end() && next->begin < left.end; ++next) {
      if (left.begin < next->begin)
        ranges.push_back({left.begin, next->begin});
      left.begin = next->end;
    }
    if (left.begin < left.end)
      ranges.push_back(left);
  }
  return ranges;
}

} // namespace orrery::runtime
