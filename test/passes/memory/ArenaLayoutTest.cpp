// Packing of lifetimes: nothing alive together overlaps, and little is wasted.
#include "passes/memory/ArenaLayout.h"

#include "llvm/ADT/STLExtras.h"
#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace orrery::passes;

namespace {

TEST(ArenaLayout, SharesBytesOfLivesThatDoNotMeet) {
  std::vector<LifeInterval> lives = {{128, 0, 1}, {128, 2, 3}};
  EXPECT_EQ(packIntervals(lives), 128);
  EXPECT_EQ(lives[0].offset, lives[1].offset);
}

TEST(ArenaLayout, KeepsNeighboursApartWhenOneEndsWhereTheOtherBegins) {
  std::vector<LifeInterval> lives = {{128, 0, 2}, {128, 2, 3}};
  EXPECT_EQ(packIntervals(lives), 256);
}

TEST(ArenaLayout, FillsTheGapBelow) {
  std::vector<LifeInterval> lives = {
      {256, 0, 9}, {192, 0, 3}, {128, 0, 9}, {64, 5, 9}};
  EXPECT_EQ(packIntervals(lives), 256 + 192 + 128);
  EXPECT_EQ(lives[3].offset, 256); // where the second one was
}

TEST(ArenaLayout, NeverOverlapsAndNeverBeatsTheLoad) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<LifeInterval> lives(1 + random() % 40);
    std::vector<int64_t> load(30);
    for (LifeInterval &life : lives) {
      life.bytes = 1 + random() % 1000;
      life.first = random() % 30;
      life.last = life.first + random() % (30 - life.first);
      for (int64_t t = life.first; t <= life.last; ++t)
        load[t] += alignBuffer(life.bytes);
    }
    int64_t peak = packIntervals(lives);
    EXPECT_GE(peak, *llvm::max_element(load));
    for (auto &a : lives)
      for (auto &b : lives) {
        if (&a == &b || a.last < b.first || b.last < a.first)
          continue;
        EXPECT_TRUE(a.offset + a.bytes <= b.offset ||
                    b.offset + b.bytes <= a.offset);
        EXPECT_EQ(a.offset % kBufferAlignment, 0);
      }
  }
}

} // namespace
