// First fit by decreasing size over intervals of life.
#include "passes/memory/ArenaLayout.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

using namespace llvm;
using namespace orrery::passes;

int64_t orrery::passes::packIntervals(MutableArrayRef<LifeInterval> intervals) {
  SmallVector<LifeInterval *> order;
  for (LifeInterval &interval : intervals)
    order.push_back(&interval);
  // Ties go to the earlier life, so that the result is a function of the input.
  stable_sort(order, [](LifeInterval *a, LifeInterval *b) {
    return a->bytes != b->bytes ? a->bytes > b->bytes : a->first < b->first;
  });
  int64_t peak = 0;
  SmallVector<LifeInterval *> placed, together; // `placed` by offset
  for (LifeInterval *interval : order) {
    int64_t size = alignBuffer(interval->bytes), offset = 0;
    for (LifeInterval *other : placed) {
      if (other->last < interval->first || interval->last < other->first)
        continue;
      if (offset + size <= other->offset)
        break; // fits in the gap below
      offset = std::max(offset, other->offset + alignBuffer(other->bytes));
    }
    interval->offset = offset;
    peak = std::max(peak, offset + size);
    placed.insert(upper_bound(placed, interval,
                              [](LifeInterval *a, LifeInterval *b) {
                                return a->offset < b->offset;
                              }),
                  interval);
  }
  return peak;
}
