// The cheapest collectives between two states of a value.
#include "passes/analysis/ReshardPath.h"

#include "gtest/gtest.h"

using namespace orrery;
using orrery::passes::Collective;

namespace {
class ReshardPath : public testing::Test {
protected:
  ReshardPath() {
    context.loadDialect<dfg::DfgDialect>();
    mesh = dfg::MeshAttr::get(&context, {axis("dp"), axis("cp"), axis("tp")},
                              {2, 3, 2});
  }

  mlir::StringAttr axis(llvm::StringRef name) {
    return mlir::StringAttr::get(&context, name);
  }
  dfg::Sharding state(llvm::ArrayRef<dfg::Axes> dims, dfg::Axes partial = {}) {
    dfg::Sharding sharding;
    sharding.dims.assign(dims.begin(), dims.end());
    sharding.partial = partial;
    return sharding;
  }
  std::vector<Collective> path(const dfg::Sharding &from,
                               const dfg::Sharding &to) {
    auto type = mlir::RankedTensorType::get({1200, 1200},
                                            mlir::Float32Type::get(&context));
    auto found = passes::findReshardPath(from, to, type, mesh);
    EXPECT_TRUE(found.has_value());
    std::vector<Collective> kinds;
    if (found)
      for (const passes::ReshardStep &step : found->steps)
        kinds.push_back(step.kind);
    return kinds;
  }

  mlir::MLIRContext context;
  dfg::MeshAttr mesh;
};
} // namespace

TEST_F(ReshardPath, TakesOneCollectiveWhereOneDoes) {
  dfg::Axes tp = {axis("tp")};
  auto whole = state({{}, {}}), rows = state({tp, {}}),
       columns = state({{}, tp}), sum = state({{}, {}}, tp);
  using Kinds = std::vector<Collective>;
  EXPECT_EQ(path(whole, whole), Kinds{});
  EXPECT_EQ(path(sum, whole), Kinds{Collective::AllReduce});
  EXPECT_EQ(path(sum, rows), Kinds{Collective::ReduceScatter});
  EXPECT_EQ(path(rows, whole), Kinds{Collective::AllGather});
  EXPECT_EQ(path(whole, rows), Kinds{Collective::AllSlice});
  EXPECT_EQ(path(rows, columns), Kinds{Collective::AllToAll});
}

TEST_F(ReshardPath, JoinsNeighbouringStepsOfOneKind) {
  dfg::Axes dp = {axis("dp")}, tp = {axis("tp")},
            both = {axis("dp"), axis("tp")};
  using Kinds = std::vector<Collective>;
  EXPECT_EQ(path(state({both, {}}), state({{}, {}})),
            Kinds{Collective::AllGather});
  EXPECT_EQ(path(state({{}, {}}, both), state({{}, {}})),
            Kinds{Collective::AllReduce});
  EXPECT_EQ(path(state({{}, {}}, both), state({both, {}})),
            Kinds{Collective::ReduceScatter});
}

TEST_F(ReshardPath, GathersBeforeItReducesNever) {
  // Scattering the sum first makes the gather of the other axis smaller.
  dfg::Axes dp = {axis("dp")}, tp = {axis("tp")};
  auto kinds = path(state({dp, {}}, tp), state({{}, tp}));
  ASSERT_EQ(kinds.size(), 2u);
  EXPECT_EQ(kinds[0], Collective::ReduceScatter);
  EXPECT_EQ(kinds[1], Collective::AllGather);
}

TEST_F(ReshardPath, HasNoPathToASumThatIsNotThere) {
  auto type =
      mlir::RankedTensorType::get({12}, mlir::Float32Type::get(&context));
  EXPECT_FALSE(passes::findReshardPath(state({{}}), state({{}}, {axis("tp")}),
                                       type, mesh));
}

TEST_F(ReshardPath, CostsTwiceAsMuchToReduceAsToGather) {
  passes::Machine machine;
  machine.nodeLatency = 0;
  dfg::Axes tp = {axis("tp")};
  double reduce = passes::collectiveSeconds(Collective::AllReduce, 1 << 20, tp,
                                            mesh, machine);
  double gather = passes::collectiveSeconds(Collective::AllGather, 1 << 20, tp,
                                            mesh, machine);
  EXPECT_DOUBLE_EQ(reduce, 2 * gather);
  EXPECT_DOUBLE_EQ(gather, 0.5 * (1 << 20) / machine.nodeBandwidth);
  // dp spans all twelve ranks: across nodes of eight.
  EXPECT_GT(passes::collectiveSeconds(Collective::AllGather, 1 << 20,
                                      {axis("dp")}, mesh, machine),
            10 * gather);
}
