// Comparing neighbours.
#include "runtime/device/cuda/ColumnSumRuns.h"

#include "kernels/cuda/Reductions.h"
#include "runtime/device/cuda/Place.h"

#include <algorithm>

namespace orrery::runtime::cuda {
namespace {

bool areAlike(const plan::Instruction &a, const plan::Instruction &b) {
  if (!a.has_column_sum() || !b.has_column_sum() || a.stream() != b.stream() ||
      a.last_run_only() != b.last_run_only())
    return false;
  const plan::ColumnSum &x = a.column_sum(), &y = b.column_sum();
  return x.in().type() == y.in().type() &&
         std::ranges::equal(shapeOf(x.in()), shapeOf(y.in())) &&
         std::ranges::equal(stridesOf(x.in()), stridesOf(y.in())) &&
         outStrideOf(x) == outStrideOf(y) && x.accumulate() == y.accumulate();
}

// Bytes between a view's first and last element, in all slots or in the first.
ByteExtent reachOf(const plan::View &view, const RankPlan &rank,
                   bool allSlots) {
  const Place place = placeOf(view, rank);
  const ByteExtent extent = extentOf(view);
  return {place.offset + extent.begin,
          place.offset + extent.end +
              (allSlots ? (place.slots - 1) * place.stride : 0)};
}

// Views of one buffer are always in the same slot of it.
bool mayOverlap(const plan::View &a, const plan::View &b,
                const RankPlan &rank) {
  const bool allSlots = a.buffer() != b.buffer();
  const ByteExtent x = reachOf(a, rank, allSlots);
  const ByteExtent y = reachOf(b, rank, allSlots);
  return x.begin < y.end && y.begin < x.end;
}

bool areIndependent(const plan::ColumnSum &a, const plan::ColumnSum &b,
                    const RankPlan &rank) {
  return !mayOverlap(a.out(), b.out(), rank) &&
         !mayOverlap(a.out(), b.in(), rank) &&
         !mayOverlap(a.in(), b.out(), rank);
}

} // namespace

int64_t outStrideOf(const plan::ColumnSum &op) {
  const int last = op.out().strides_size() - 1;
  return last >= 0 ? op.out().strides(last) : 1;
}

std::vector<int> columnSumRuns(const plan::Program &program,
                               const RankPlan &rank) {
  const auto &instructions = program.instructions();
  std::vector<int> counts(static_cast<size_t>(instructions.size()), 1);
  int first = 0;
  auto joins = [&](int index) {
    const plan::Instruction &own = instructions[index];
    if (index == first || index - first >= kernels::cuda::kMaxColumnSums ||
        !areAlike(instructions[first], own))
      return false;
    for (int other = first; other < index; ++other)
      if (!areIndependent(instructions[other].column_sum(), own.column_sum(),
                          rank))
        return false;
    return true;
  };
  for (int i = 0; i < instructions.size(); ++i) {
    if (!joins(i)) {
      first = i;
      continue;
    }
    ++counts[static_cast<size_t>(first)];
    counts[static_cast<size_t>(i)] = 0;
  }
  return counts;
}

} // namespace orrery::runtime::cuda
