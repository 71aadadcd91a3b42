// The log's pattern and levels.
#include "runtime/log/Log.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

/// What `body` writes to standard error.
template <typename Body> std::string logged(Body body) {
  testing::internal::CaptureStderr();
  body();
  spdlog::default_logger()->flush();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, NamesTheRankInEveryLine) {
  ASSERT_TRUE(openLog(3, 16, 3).ok());
  const std::string text = logged([] { spdlog::info("step {}", 1); });
  EXPECT_EQ(text.find("[rank 03 "), 0u) << text;
  EXPECT_NE(text.find(" info] step 1\n"), std::string::npos) << text;
}

TEST(Log, LetsOtherRanksSpeakOfTroubleOnly) {
  ASSERT_TRUE(openLog(1, 4, 0).ok());
  EXPECT_EQ(logged([] { spdlog::info("quiet"); }), "");
  EXPECT_NE(logged([] { spdlog::warn("loud"); }).find("[rank 1 "),
            std::string::npos);
}

TEST(Log, RefusesUnknownLevels) {
  EXPECT_EQ(openLog(0, 1, 0, "chatty").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(openLog(0, 1, 0, "off").ok());
  EXPECT_EQ(logged([] { spdlog::error("silent"); }), "");
}

TEST(Log, PrintsBareLinesToStandardOutput) {
  testing::internal::CaptureStdout();
  printLine(" iteration |");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), " iteration |\n");
}

} // namespace
} // namespace orrery::runtime
