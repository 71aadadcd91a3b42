// Tables and units of orrery-plan.
#include "tools/orrery-plan/Table.h"
#include "tools/orrery-plan/Units.h"

#include <gtest/gtest.h>

using namespace orrery;

TEST(Table, AlignsColumns) {
  Table table({"kind", ">bytes"});
  table.add({"weight", "1"});
  table.add({"×", "12345678"});
  EXPECT_EQ(table.str(), "    kind       bytes\n"
                         "    weight         1\n"
                         "    ×       12345678\n");
}

TEST(Table, IsEmptyWithoutRows) {
  EXPECT_EQ(Table({"kind", ">bytes"}).str(), "");
}

TEST(Units, GroupThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567890123), "1,234,567,890,123");
  EXPECT_EQ(grouped(-123), "-123");
  EXPECT_EQ(grouped(-1234), "-1,234");
}

TEST(Units, ScaleBytesAndWork) {
  EXPECT_EQ(bytesText(0), "0 B");
  EXPECT_EQ(bytesText(1023), "1023 B");
  EXPECT_EQ(bytesText(1536), "1.50 KiB");
  EXPECT_EQ(bytesText(80.0 * (1ull << 30)), "80.00 GiB");
  EXPECT_EQ(flopsText(12), "12 FLOP");
  EXPECT_EQ(flopsText(2.5e15), "2.50 PFLOP");
}

TEST(Units, ShowWhichAxesShardADimension) {
  plan::Parameter parameter;
  parameter.add_global_shape(384);
  parameter.add_global_shape(64);
  parameter.add_sharding()->add_axes("tp");
  parameter.add_sharding();
  EXPECT_EQ(shardedShapeText(parameter), "[384/tp, 64]");
}
