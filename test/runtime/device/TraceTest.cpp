// The trace's limit of events.
#include "runtime/device/Trace.h"

#include "runtime/comm/local/LocalWorld.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace orrery::runtime {
namespace {

// The file of two ranks, of which rank r adds `counts[r]` events.
nlohmann::json traceOf(std::array<size_t, 2> counts) {
  char name[] = "/tmp/orrery-trace-XXXXXX";
  EXPECT_NE(mkdtemp(name), nullptr);
  const std::string path = std::string(name) + "/trace.json";
  absl::Status status = runLocalRanks(2, [&](CommunicatorFactory &factory) {
    Trace trace;
    trace.start();
    for (size_t i = 0; i < counts[factory.world().rank()]; ++i)
      trace.add({"matmul", "gemm", "forward", 0, 1, 0, 100, 12,
                 static_cast<double>(i), i + 1.0});
    return trace.write(path, factory.world());
  });
  EXPECT_TRUE(status.ok()) << status;
  std::ifstream file(path);
  nlohmann::json trace = nlohmann::json::parse(file);
  std::filesystem::remove_all(name);
  return trace;
}

TEST(Trace, KeepsEventsUpToItsLimitAndSaysWhatItDropped) {
  const nlohmann::json trace = traceOf({3, Trace::kCapacity + 7});
  EXPECT_EQ(trace["otherData"]["events_per_rank"], Trace::kCapacity);
  EXPECT_EQ(trace["otherData"]["dropped_events"], 7);
  std::array<size_t, 2> kept = {}, notes = {};
  for (const nlohmann::json &event : trace["traceEvents"]) {
    const int rank = event["pid"];
    kept[rank] += event["ph"] == "X";
    notes[rank] += event["name"] == "7 events dropped";
  }
  EXPECT_EQ(kept[0], 3u);
  EXPECT_EQ(kept[1], Trace::kCapacity);
  EXPECT_EQ(notes[0], 0u);
  EXPECT_EQ(notes[1], 1u);
}

TEST(Trace, SaysNothingOfDroppedEventsWhereNoneWere) {
  const nlohmann::json trace = traceOf({1, 2});
  EXPECT_FALSE(trace.contains("otherData"));
  EXPECT_EQ(trace["traceEvents"].size(), 5u); // two of them name the ranks
}

} // namespace
} // namespace orrery::runtime
