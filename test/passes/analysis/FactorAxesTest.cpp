// Claims of mesh axes by the factors of an op.
#include "passes/analysis/FactorAxes.h"

#include "gtest/gtest.h"

using namespace orrery;
using orrery::passes::FactorAxes;
using Claim = orrery::passes::FactorAxes::Claim;

namespace {
class FactorAxesTest : public testing::Test {
protected:
  FactorAxesTest() {
    context.loadDialect<dfg::DfgDialect>();
    dp = mlir::StringAttr::get(&context, "dp");
    tp = mlir::StringAttr::get(&context, "tp");
    mesh = dfg::MeshAttr::get(&context, {dp, tp}, {2, 4});
  }
  mlir::RankedTensorType tensor(llvm::ArrayRef<int64_t> shape) {
    return mlir::RankedTensorType::get(shape, mlir::Float32Type::get(&context));
  }

  mlir::MLIRContext context;
  mlir::StringAttr dp, tp;
  dfg::MeshAttr mesh;
};
} // namespace

TEST_F(FactorAxesTest, ASplitContractionLeavesThePartialSum) {
  mlir::Type x = tensor({8, 16}), w = tensor({16, 12}), y = tensor({8, 12});
  FactorAxes factors(dfg::ShardingRule::parse("t i, i o -> t o", {x, w}, {y}),
                     mesh);
  const dfg::ShardingRule &rule = factors.getRule();
  EXPECT_EQ(factors.claim(rule.operands[0], {{dp}, {tp}}), Claim::Granted);
  EXPECT_EQ(factors.claim(rule.operands[0], {{dp}, {tp}}), Claim::Known);
  // tp splits i, so it cannot split o.
  EXPECT_EQ(factors.claim(rule.operands[1], {{}, {tp}}), Claim::Taken);
  dfg::Reduction reduction{};
  EXPECT_EQ(factors.reducedAxes(0, reduction), dfg::Axes{tp});
  EXPECT_EQ(reduction, dfg::Reduction::Sum);
  auto weight = factors.placement(rule.operands[1]);
  EXPECT_EQ(weight[0], dfg::Axes{tp});
  EXPECT_TRUE(weight[1].empty());
  EXPECT_EQ(factors.placement(rule.results[0])[0], dfg::Axes{dp});
}

TEST_F(FactorAxesTest, OnlyTheMajorPartOfACompoundIsSplit) {
  mlir::Type flat = tensor({24}), parts = tensor({8, 3});
  FactorAxes factors(dfg::ShardingRule::parse("(n k) -> n k", {flat}, {parts}),
                     mesh);
  const dfg::ShardingRule &rule = factors.getRule();
  // k is behind n, which is not down to one element.
  EXPECT_EQ(factors.claim(rule.results[0], {{}, {tp}}), Claim::Indivisible);
  EXPECT_EQ(factors.claim(rule.operands[0], {{tp}}), Claim::Granted);
  EXPECT_EQ(factors.placement(rule.results[0])[0], dfg::Axes{tp});
}

TEST_F(FactorAxesTest, AMinorPartIsSplitBehindAFullySplitMajorPart) {
  mlir::Type flat = tensor({16}), parts = tensor({2, 8});
  FactorAxes factors(dfg::ShardingRule::parse("(n k) -> n k", {flat}, {parts}),
                     mesh);
  const dfg::ShardingRule &rule = factors.getRule();
  EXPECT_EQ(factors.claim(rule.results[0], {{}, {tp}}), Claim::Buried);
  EXPECT_EQ(factors.claim(rule.operands[0], {{dp, tp}}), Claim::Granted);
  auto placement = factors.placement(rule.results[0]);
  EXPECT_EQ(placement[0], dfg::Axes{dp});
  EXPECT_EQ(placement[1], dfg::Axes{tp});
}

TEST_F(FactorAxesTest, NamesTheFactorThatDoesNotDivide) {
  mlir::Type flat = tensor({24}), parts = tensor({6, 4});
  FactorAxes factors(dfg::ShardingRule::parse("(n k) -> n k", {flat}, {parts}),
                     mesh);
  unsigned factor = 9;
  EXPECT_EQ(factors.claim(factors.getRule().operands[0], {{tp}}, &factor),
            Claim::Indivisible);
  EXPECT_EQ(factors.getRule().factors[factor].size, 6);
}

TEST_F(FactorAxesTest, WholeFactorsStayWhole) {
  mlir::Type x = tensor({8, 16}), y = tensor({8, 16});
  FactorAxes factors(dfg::ShardingRule::parse("t !h -> t !h", {x}, {y}), mesh);
  EXPECT_EQ(factors.claim(factors.getRule().operands[0], {{}, {tp}}),
            Claim::Whole);
  EXPECT_TRUE(factors.placement(factors.getRule().results[0])[1].empty());
}

TEST_F(FactorAxesTest, SurvivesAnAttribute) {
  mlir::Type x = tensor({8, 16});
  auto rule = dfg::ShardingRule::elementwise({x}, {x}, dfg::Linearity::None);
  FactorAxes factors(rule, mesh), copy(rule, mesh);
  factors.claim(rule.operands[0], {{dp}, {tp}});
  ASSERT_TRUE(mlir::succeeded(copy.fromAttr(factors.toAttr(&context))));
  EXPECT_EQ(copy.getAxes(), factors.getAxes());
  // One axis cannot split two factors.
  mlir::Attribute names = mlir::ArrayAttr::get(&context, {dp});
  EXPECT_TRUE(mlir::failed(
      copy.fromAttr(mlir::ArrayAttr::get(&context, {names, names}))));
}
