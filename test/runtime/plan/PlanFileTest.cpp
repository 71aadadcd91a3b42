// Plan files: round trips, every kind of damage, other versions and kinds.
#include "runtime/plan/PlanFile.h"
#include "test/runtime/plan/ToyPlan.h"

#include <gtest/gtest.h>

#include <xxhash.h>

#include <filesystem>

namespace orrery::runtime {
namespace {

std::string soundBytes() {
  return *framePlan(test::toyPlan({.pp = 2, .tp = 2}));
}

TEST(PlanFile, ReadsWhatItWrote) {
  std::string path = ::testing::TempDir() + "round-trip.plan";
  plan::Plan plan = test::toyPlan({.pp = 2, .dp = 2, .tp = 2});
  ASSERT_TRUE(writePlan(plan, path).ok());
  absl::StatusOr<plan::Plan> read = readPlan(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), plan.SerializeAsString());
  for (const auto &entry :
       std::filesystem::directory_iterator(::testing::TempDir()))
    EXPECT_EQ(entry.path().string().find("round-trip.plan.tmp"),
              std::string::npos);
}

TEST(PlanFile, GivesTheSameBytesForTheSamePlan) {
  EXPECT_EQ(soundBytes(), soundBytes());
}

TEST(PlanFile, FindsAFlippedBitInEveryByte) {
  std::string bytes = soundBytes();
  for (size_t byte = 0; byte < bytes.size(); ++byte)
    for (int bit = 0; bit < 8; bit += byte < 40 ? 1 : 3) {
      std::string damaged = bytes;
      damaged[byte] ^= static_cast<char>(1 << bit);
      absl::StatusOr<plan::Plan> read = parsePlan(damaged, "flipped.plan");
      ASSERT_FALSE(read.ok()) << "byte " << byte << " bit " << bit;
      EXPECT_NE(read.status().message().find("flipped.plan"),
                std::string::npos);
    }
}

TEST(PlanFile, FindsEveryTruncation) {
  std::string bytes = soundBytes();
  for (size_t length = 0; length < bytes.size(); ++length) {
    absl::StatusOr<plan::Plan> read =
        parsePlan(absl::string_view(bytes).substr(0, length), "short");
    ASSERT_FALSE(read.ok()) << length;
    EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss) << length;
  }
}

TEST(PlanFile, RefusesTrailingBytes) {
  absl::StatusOr<plan::Plan> read = parsePlan(soundBytes() + "x", "long");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(read.status().message().find("trailing"), std::string::npos);
}

TEST(PlanFile, NamesTheKindOfAnotherFile) {
  for (auto [bytes, kind] :
       {std::pair<std::string, std::string>{"\177ELF\2\1\1", "ELF"},
        {"MMIDIDX\0\0 rest", "unknown"},
        {"{\"a\": 1}", "JSON"},
        {std::string("\x10\0\0\0\0\0\0\0{}", 10), "safetensors"}}) {
    absl::StatusOr<plan::Plan> read = parsePlan(bytes, "other");
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(read.status().message().find(kind), std::string::npos)
        << read.status();
  }
}

TEST(PlanFile, RefusesAnotherVersion) {
  std::string bytes = soundBytes();
  bytes[8] = 2;
  uint64_t checksum = XXH3_64bits(bytes.data(), 32);
  for (int i = 0; i < 8; ++i)
    bytes[32 + i] = static_cast<char>(checksum >> (8 * i));
  absl::StatusOr<plan::Plan> read = parsePlan(bytes, "newer.plan");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(read.status().message().find("version 2"), std::string::npos)
      << read.status();
}

TEST(PlanFile, SaysThatAFileIsMissing) {
  absl::StatusOr<plan::Plan> read = readPlan("/nowhere/at/all.plan");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(read.status().message().find("/nowhere/at/all.plan"),
            std::string::npos);
}

TEST(PlanFile, LeavesTheOldFileWhenTheNewCannotBeWritten) {
  EXPECT_EQ(writePlan(test::toyPlan({}), "/nowhere/at/all.plan").code(),
            absl::StatusCode::kNotFound);
}

} // namespace
} // namespace orrery::runtime
