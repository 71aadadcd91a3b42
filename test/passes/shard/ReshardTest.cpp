// Reshards: the collectives that dfg-localize emits between any two states
// keep the value, and they are the cheapest for the common cases.
#include "passes/analysis/ReshardPath.h"
#include "passes/shard/Passes.h"
#include "test/interpreter/Interpreter.h"
#include "test/interpreter/ParseModule.h"

#include "mlir/Pass/PassManager.h"
#include "gtest/gtest.h"
#include <map>
#include <random>

using namespace orrery;
using namespace orrery::interpreter;
using orrery::passes::Collective;

namespace {
class Reshard : public testing::Test {
protected:
  Reshard() {
    context.loadDialect<dfg::DfgDialect, mlir::func::FuncDialect>();
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

TEST_F(Reshard, TakesOneCollectiveWhereOneDoes) {
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

TEST_F(Reshard, JoinsNeighbouringStepsOfOneKind) {
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

TEST_F(Reshard, GathersBeforeItReducesNever) {
  // Scattering the sum first makes the gather of the other axis smaller.
  dfg::Axes dp = {axis("dp")}, tp = {axis("tp")};
  auto kinds = path(state({dp, {}}, tp), state({{}, tp}));
  ASSERT_EQ(kinds.size(), 2u);
  EXPECT_EQ(kinds[0], Collective::ReduceScatter);
  EXPECT_EQ(kinds[1], Collective::AllGather);
}

TEST_F(Reshard, HasNoPathToASumThatIsNotThere) {
  auto type =
      mlir::RankedTensorType::get({12}, mlir::Float32Type::get(&context));
  EXPECT_FALSE(passes::findReshardPath(state({{}}), state({{}}, {axis("tp")}),
                                       type, mesh));
}

TEST_F(Reshard, CostsTwiceAsMuchToReduceAsToGather) {
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

/// Draws a state of a 2-d value: every axis goes to a dimension, to the
/// partial ones (if `sums`), or nowhere.
static std::string drawState(std::mt19937 &engine, bool sums,
                             const std::string &allowed, std::string *partial) {
  std::vector<std::string> axes = {"dp", "cp", "tp"};
  std::shuffle(axes.begin(), axes.end(), engine);
  std::string dims[2];
  for (const std::string &axis : axes) {
    unsigned place = engine() % 4;
    if (place < 2)
      dims[place] += (dims[place].empty() ? "" : ":") + axis;
    else if (place == 2 && (sums || allowed.find(axis) != std::string::npos))
      *partial += (partial->empty() ? "" : ", ") + axis;
  }
  for (std::string &dim : dims)
    if (dim.empty())
      dim = "_";
  std::string text = "#dfg.sharding<[" + dims[0] + ", " + dims[1] + "]";
  if (!partial->empty())
    text += ", partial sum [" + *partial + "]";
  return text + ">";
}

/// Pieces of a value in state `sharding` on all ranks: random numbers that
/// replicas agree on.
static std::vector<Tensor> drawPieces(const dfg::Sharding &sharding,
                                      dfg::MeshAttr mesh,
                                      std::mt19937 &engine) {
  std::map<std::vector<int64_t>, Tensor> sums; // by partial coordinates
  std::vector<Tensor> pieces;
  for (int64_t rank = 0; rank < mesh.getNumRanks(); ++rank) {
    std::vector<int64_t> place;
    for (mlir::StringAttr axis : sharding.partial)
      place.push_back(coordinate(mesh, rank, axis));
    auto [it, inserted] = sums.try_emplace(place, Tensor({12, 24}, 0));
    if (inserted)
      for (double &element : it->second.data)
        element = static_cast<double>(engine() % 1000);
    pieces.push_back(shardOf(it->second, sharding, mesh, rank));
  }
  return pieces;
}

static Tensor assembled(llvm::ArrayRef<Tensor> pieces,
                        const dfg::Sharding &sharding, dfg::MeshAttr mesh) {
  llvm::SmallVector<Part> parts;
  for (auto [rank, piece] : llvm::enumerate(pieces))
    parts.push_back({static_cast<int64_t>(rank), &piece});
  auto whole = assemble(parts, sharding, mesh);
  EXPECT_TRUE(mlir::succeeded(whole));
  return mlir::succeeded(whole) ? *whole : Tensor({0}, 0);
}

TEST(Localize, KeepsTheValueBetweenAnyTwoStates) {
  std::mt19937 engine(11);
  for (int trial = 0; trial < 300; ++trial) {
    std::string sums, kept;
    std::string from = drawState(engine, true, "", &sums);
    std::string to = drawState(engine, false, sums, &kept);
    ParsedModule parsed(
        "module attributes {dfg.mesh = #dfg.mesh<dp = 2, cp = 3, tp = 2>} {\n"
        "func.func @main(%x: tensor<12x24xf32> {dfg.sharding = " +
        from + "}) -> tensor<12x24xf32> {\n%0 = dfg.reshard %x from " + from +
        " to " + to + " {dfg.sharding = [" + to +
        "]} : tensor<12x24xf32>\nreturn %0 : tensor<12x24xf32>\n}\n}");
    auto reshard = *parsed.getFunction("main").getOps<dfg::ReshardOp>().begin();
    auto source = dfg::Sharding::get(reshard.getSource()),
         target = dfg::Sharding::get(reshard.getTarget());
    mlir::PassManager manager(parsed.getContext());
    manager.addPass(passes::createLocalizePass());
    ASSERT_TRUE(mlir::succeeded(manager.run(*parsed)))
        << from << " to " << to << "\n"
        << parsed.getDiagnostics();

    Interpreter interpreter(*parsed);
    dfg::MeshAttr mesh = interpreter.getMesh();
    std::vector<Tensor> pieces = drawPieces(source, mesh, engine);
    llvm::SmallVector<Tensors> inputs;
    for (const Tensor &piece : pieces)
      inputs.push_back({piece});
    auto results = interpreter.run("main", inputs);
    ASSERT_TRUE(mlir::succeeded(results)) << parsed.getDiagnostics();
    std::vector<Tensor> moved;
    for (Tensors &result : *results)
      moved.push_back(result[0]);
    EXPECT_EQ(distance(assembled(moved, target, mesh),
                       assembled(pieces, source, mesh)),
              0)
        << from << " to " << to;
  }
}
