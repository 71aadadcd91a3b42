// The collectives that dfg-localize emits between any two states of a value
// keep the value.
#include "passes/shard/Passes.h"
#include "test/interpreter/Interpreter.h"
#include "test/interpreter/ParseModule.h"

#include "mlir/Pass/PassManager.h"
#include "gtest/gtest.h"
#include <map>
#include <random>

using namespace orrery;
using namespace orrery::interpreter;

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
