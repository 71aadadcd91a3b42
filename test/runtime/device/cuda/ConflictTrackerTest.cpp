// Waits between streams: hand-made cases, and random ones against the
// definition.
#include "runtime/device/cuda/ConflictTracker.h"

#include <gtest/gtest.h>
#include <random>

namespace orrery::runtime::cuda {
namespace {

using Waits = std::vector<ConflictTracker::Action>;

class Tracked {
public:
  explicit Tracked(int lanes) : tracker(lanes) {}
  Waits add(int lane, std::vector<ByteAccess> accesses) {
    Waits waits;
    tracker.add(lane, accesses, waits);
    return waits;
  }

private:
  ConflictTracker tracker;
};

constexpr bool kRead = false, kWrite = true;

TEST(ConflictTracker, ReadersWaitForTheWriterAndTheNextWriterForReaders) {
  Tracked t(3);
  EXPECT_EQ(t.add(0, {{0, 64, kWrite}}), Waits{});
  EXPECT_EQ(t.add(1, {{0, 64, kRead}}), Waits{0});
  EXPECT_EQ(t.add(2, {{60, 61, kRead}}), Waits{0});
  EXPECT_EQ(t.add(0, {{0, 16, kWrite}}), Waits{1});
  EXPECT_EQ(t.add(0, {{60, 64, kWrite}}), Waits{2});
}

TEST(ConflictTracker, NothingWaitsWithinALaneOrForOtherBytes) {
  Tracked t(2);
  t.add(0, {{0, 64, kWrite}});
  EXPECT_EQ(t.add(0, {{0, 64, kWrite}}), Waits{});
  EXPECT_EQ(t.add(1, {{64, 128, kWrite}}), Waits{});
  EXPECT_EQ(t.add(1, {{32, 32, kWrite}}), Waits{}); // empty
  EXPECT_EQ(t.add(1, {{63, 64, kRead}}), Waits{1});
}

TEST(ConflictTracker, LeavesOutWhatAnotherWaitImplies) {
  Tracked t(3);
  t.add(0, {{0, 8, kWrite}});                                      // 0
  EXPECT_EQ(t.add(1, {{0, 8, kRead}, {8, 16, kWrite}}), Waits{0}); // 1
  EXPECT_EQ(t.add(2, {{0, 8, kRead}, {8, 16, kRead}}), Waits{1});
  EXPECT_EQ(t.add(2, {{0, 8, kRead}}), Waits{});
  EXPECT_EQ(t.add(1, {{0, 8, kRead}}), Waits{}); // waited for 0 before
}

TEST(ConflictTracker, AnActionMayReadWhatItWrites) {
  Tracked t(2);
  t.add(0, {{0, 8, kRead}, {0, 8, kWrite}, {4, 8, kRead}});
  EXPECT_EQ(t.add(1, {{0, 8, kRead}}), Waits{0});
  EXPECT_EQ(t.add(0, {{0, 8, kRead}, {0, 8, kWrite}}), Waits{1});
}

// happens[b][a]: a is done before b begins, by lanes' order and waits.
using Order = std::vector<std::vector<bool>>;

void addToOrder(Order &order, const std::vector<int> &lanes,
                const Waits &waits) {
  const size_t b = order.size();
  std::vector<bool> before(b, false);
  auto include = [&](size_t a) {
    before[a] = true;
    for (size_t c = 0; c < a; ++c)
      before[c] = before[c] || order[a][c];
  };
  for (size_t a = 0; a < b; ++a)
    if (lanes[a] == lanes[b])
      include(a);
  for (uint32_t a : waits)
    include(a);
  order.push_back(before);
}

bool conflict(const std::vector<ByteAccess> &a,
              const std::vector<ByteAccess> &b) {
  for (const ByteAccess &x : a)
    for (const ByteAccess &y : b)
      if ((x.write || y.write) && x.begin < y.end && y.begin < x.end)
        return true;
  return false;
}

TEST(ConflictTracker, OrdersEveryConflictAndWaitsForNothingElse) {
  std::mt19937 random(3);
  auto below = [&](unsigned n) { return random() % n; };
  for (int round = 0; round < 40; ++round) {
    const int laneCount = 2 + static_cast<int>(below(4));
    Tracked tracked(laneCount);
    std::vector<std::vector<ByteAccess>> all;
    std::vector<int> lanes;
    Order order;
    for (size_t b = 0; b < 120; ++b) {
      std::vector<ByteAccess> accesses;
      for (unsigned i = 1 + below(3); i-- > 0;) {
        const uint64_t begin = below(40);
        accesses.push_back({begin, begin + 1 + below(12), below(3) == 0});
      }
      lanes.push_back(static_cast<int>(below(laneCount)));
      all.push_back(accesses);
      const Waits waits = tracked.add(lanes.back(), accesses);
      addToOrder(order, lanes, waits);
      for (size_t a = 0; a < b; ++a)
        EXPECT_TRUE(!conflict(all[a], all[b]) || order[b][a])
            << a << " and " << b << ", round " << round;
      for (uint32_t a : waits) {
        EXPECT_TRUE(conflict(all[a], all[b])) << a << " and " << b;
        for (uint32_t c : waits)
          EXPECT_FALSE(a < c && order[c][a]) << a << " is before " << c;
      }
    }
  }
}

} // namespace
} // namespace orrery::runtime::cuda
