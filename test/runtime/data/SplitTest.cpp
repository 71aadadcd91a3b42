// Splits against recorded bounds.
#include "runtime/data/Split.h"

#include "test/runtime/data/RecordedArray.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

TEST(Split, EqualsTheRecordedBounds) {
  for (const auto &entry :
       test::readJson(test::recorded("indexmaps/splits.json"))) {
    const std::string text = entry["split"];
    auto bounds = splitBounds(text, entry["size"]);
    ASSERT_TRUE(bounds.ok()) << bounds.status();
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ((*bounds)[i], entry["splits_index"][i]) << text << " " << i;
  }
}

// round(1.5) + round(1.5) is 4 of 3: the original's first bound would be -1.
TEST(Split, NeverHasANegativeBound) {
  auto bounds = splitBounds("0,1,1", 3);
  ASSERT_TRUE(bounds.ok());
  EXPECT_EQ(*bounds, (std::array<int64_t, 4>{0, 0, 1, 3}));
}

TEST(Split, RefusesWhatIsNoListOfShares) {
  for (const char *text :
       {"", "a", "1,,2", "1,-1", "0,0,0", "nan", "inf", "1;2", "1,2,3,x"}) {
    auto bounds = splitBounds(text, 10);
    EXPECT_EQ(bounds.status().code(), absl::StatusCode::kInvalidArgument)
        << text;
    EXPECT_NE(bounds.status().message().find(text), std::string::npos);
  }
}

} // namespace
} // namespace orrery::runtime
