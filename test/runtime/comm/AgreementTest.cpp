// One rank speaks for all.
#include "runtime/comm/Agreement.h"

#include "runtime/comm/local/LocalWorld.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

TEST(Agreement, TheLowestFailingRankSpeaks) {
  absl::StatusCode codes[4];
  absl::Status status = runLocalRanks(4, [&](CommunicatorFactory &f) {
    absl::Status mine;
    if (f.rank() == 1 || f.rank() == 3)
      mine = absl::DataLossError("broken");
    codes[f.rank()] = agree(f.world(), mine).code();
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(codes[0], absl::StatusCode::kCancelled);
  EXPECT_EQ(codes[1], absl::StatusCode::kDataLoss);
  EXPECT_EQ(codes[2], absl::StatusCode::kCancelled);
  EXPECT_EQ(codes[3], absl::StatusCode::kCancelled);
}

TEST(Agreement, AReasonOutlivesASecondAgreement) {
  absl::StatusCode codes[4];
  absl::Status status = runLocalRanks(4, [&](CommunicatorFactory &f) {
    absl::Status mine;
    if (f.rank() == 2)
      mine = absl::DataLossError("broken");
    mine = agree(f.world(), agree(f.world(), mine));
    codes[f.rank()] = mine.code();
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  for (int rank : {0, 1, 3})
    EXPECT_EQ(codes[rank], absl::StatusCode::kCancelled);
  EXPECT_EQ(codes[2], absl::StatusCode::kDataLoss);
}

TEST(Agreement, NamesTheRankWithAnotherValue) {
  std::string message;
  absl::Status status = runLocalRanks(3, [&](CommunicatorFactory &f) {
    absl::Status agreed =
        agreeOnValue(f.world(), f.rank() == 2 ? 0xab : 0xcd, "plan");
    if (f.rank() == 0)
      message = std::string(agreed.message());
    return agreed.ok() ? absl::InternalError("agreed") : absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(message, "rank 2 has another plan than rank 0: 00000000000000ab "
                     "and 00000000000000cd");
}

} // namespace
} // namespace orrery::runtime
