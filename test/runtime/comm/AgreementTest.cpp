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

TEST(Agreement, TakesTheLargestOfEveryKind) {
  absl::Status status =
      runLocalRanks(5, [&](CommunicatorFactory &f) -> absl::Status {
        const int64_t kind = f.rank() % 2;
        int64_t values[] = {f.rank(), 10 - f.rank(), 7};
        if (absl::Status agreed = agreeOnLargest(f.world(), kind, values);
            !agreed.ok())
          return agreed;
        EXPECT_EQ(values[0], kind ? 3 : 4);
        EXPECT_EQ(values[1], kind ? 9 : 10);
        EXPECT_EQ(values[2], 7);
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
}

} // namespace
} // namespace orrery::runtime
