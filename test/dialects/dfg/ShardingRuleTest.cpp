// Factor rules against their meaning: for every way of splitting an op's
// factors over two mesh axes, local runs on the shards give the shards of the
// global run, partial where the rule says so.
#include "test/dialects/dfg/OpCases.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::dfg;
using interpreter::Interpreter;
using interpreter::Tensor;
using interpreter::Tensors;

namespace {
/// Axes per factor.
using Assignment = SmallVector<Axes>;

class Rule : public testing::TestWithParam<OpCase> {
protected:
  void checkAssignments(StringRef meshText);
  void checkSplit(StringRef meshText, const Assignment &assignment);
  void checkPartial(StringRef meshText, ArrayRef<unsigned> operands);
};

//===----------------------------------------------------------------------===//
// Which assignments are legal, and what they mean for a tensor
//===----------------------------------------------------------------------===//

bool isLegal(const ShardingRule &rule, const Assignment &assignment,
             MeshAttr mesh) {
  for (auto [factor, axes] : llvm::zip_equal(rule.factors, assignment))
    if (!axes.empty() &&
        (factor.whole || factor.size % mesh.getSize(axes) != 0))
      return false;
  // Behind a major part that is not down to one element, no rank holds a range.
  auto holdsRanges = [&](const TensorFactors &tensor) {
    return llvm::all_of(tensor, [&](const DimFactors &dim) {
      bool isRange = true;
      for (unsigned factor : dim) {
        if (!isRange && !assignment[factor].empty())
          return false;
        isRange &=
            mesh.getSize(assignment[factor]) == rule.factors[factor].size;
      }
      return true;
    });
  };
  return llvm::all_of(rule.operands, holdsRanges) &&
         llvm::all_of(rule.results, holdsRanges);
}

Sharding shardingOf(const TensorFactors &tensor, const Assignment &assignment) {
  Sharding sharding = Sharding::replicated(tensor.size());
  for (auto [dim, axes] : llvm::zip_equal(tensor, sharding.dims))
    for (unsigned factor : dim)
      axes.append(assignment[factor].begin(), assignment[factor].end());
  return sharding;
}

/// Adds the axes over which result `index` is partial.
Sharding resultSharding(const ShardingRule &rule, unsigned index,
                        const Assignment &assignment) {
  Sharding sharding = shardingOf(rule.results[index], assignment);
  for (auto [factor, axes] : llvm::enumerate(assignment)) {
    if (axes.empty() || rule.occursInResult(factor, index) ||
        !rule.occursInOperand(factor))
      continue;
    sharding.partial.append(axes.begin(), axes.end());
    sharding.reduction = rule.factors[factor].reduction;
  }
  return sharding;
}

/// Every way to give each of `axes` to one factor or to none, in both orders
/// where two share a factor.
SmallVector<Assignment> allAssignments(size_t factors,
                                       ArrayRef<StringAttr> axes) {
  SmallVector<Assignment> all;
  size_t none = factors;
  for (size_t first = 0; first <= none; ++first)
    for (size_t second = 0; second <= none; ++second)
      for (bool swapped : {false, true}) {
        if (swapped && first != second)
          continue;
        Assignment one(factors);
        std::pair order =
            swapped ? std::pair(axes[1], axes[0]) : std::pair(axes[0], axes[1]);
        if (first != none)
          one[first].push_back(order.first);
        if (second != none)
          one[second].push_back(order.second);
        all.push_back(one);
      }
  return all;
}

std::string text(const Assignment &assignment) {
  std::string result;
  for (auto [factor, axes] : llvm::enumerate(assignment))
    for (StringAttr axis : axes)
      result += " " + axis.str() + "→" + std::to_string(factor);
  return result;
}

//===----------------------------------------------------------------------===//
// Global and local runs
//===----------------------------------------------------------------------===//

/// Results of @main per rank.
SmallVector<Tensors> runAll(interpreter::ParsedModule &module,
                            ArrayRef<Tensors> inputs) {
  Interpreter interpreter(*module);
  auto results = interpreter.run("main", inputs);
  EXPECT_TRUE(succeeded(results)) << module.getDiagnostics();
  return succeeded(results) ? *results : SmallVector<Tensors>();
}

Tensors runGlobal(const OpCase &test, const Tensors &inputs) {
  interpreter::ParsedModule module(test.text("a = 1"));
  return runAll(module, ArrayRef<Tensors>(inputs)).front();
}

/// Makes the op in `module` local, as dfg-localize does.
void localize(interpreter::ParsedModule &module, const Assignment &assignment,
              MeshAttr mesh) {
  func::FuncOp main = module.getFunction("main");
  auto op = cast<ShardableOpInterface>(opOf(module));
  ShardingRule rule = op.getShardingRule();
  op.addShardOffsets(assignment, mesh);
  auto setType = [&](Value value, const TensorFactors &tensor) {
    value.setType(
        shardingOf(tensor, assignment)
            .localType(cast<RankedTensorType>(value.getType()), mesh));
  };
  for (auto [operand, tensor] :
       llvm::zip_equal(op->getOperands(), rule.operands))
    setType(operand, tensor);
  for (auto [result, tensor] : llvm::zip_equal(op->getResults(), rule.results))
    setType(result, tensor);
  main.setType(FunctionType::get(module.getContext(),
                                 main.getBody().getArgumentTypes(),
                                 op->getResultTypes()));
}

/// Compares results that are shards or partial with the global ones.
void expectEqual(ArrayRef<Tensors> local, const Tensors &global,
                 ArrayRef<Sharding> shardings, MeshAttr mesh,
                 const std::string &what) {
  ASSERT_EQ(local.size(), static_cast<size_t>(mesh.getNumRanks())) << what;
  for (size_t index = 0; index < global.size(); ++index) {
    SmallVector<interpreter::Part> parts;
    for (int64_t rank = 0; rank < mesh.getNumRanks(); ++rank)
      parts.push_back({rank, &local[rank][index]});
    auto whole = interpreter::assemble(parts, shardings[index], mesh);
    ASSERT_TRUE(succeeded(whole)) << what << ", result " << index;
    EXPECT_LT(interpreter::distance(*whole, global[index]), 1e-12)
        << what << ", result " << index;
  }
}
} // namespace

void Rule::checkSplit(StringRef meshText, const Assignment &names) {
  interpreter::ParsedModule module(GetParam().text(meshText));
  MeshAttr mesh = getMesh(*module);
  // Names belong to a context: translate them into this module's.
  Assignment assignment(names.size());
  for (auto [to, from] : llvm::zip_equal(assignment, names))
    for (StringAttr axis : from)
      to.push_back(StringAttr::get(module.getContext(), axis.getValue()));
  ShardingRule rule =
      cast<ShardableOpInterface>(opOf(module)).getShardingRule();
  Tensors global = inputsFor(GetParam(), module.getFunction("main"));
  SmallVector<Tensors> local(mesh.getNumRanks());
  for (auto [rank, inputs] : llvm::enumerate(local))
    for (auto [input, tensor] : llvm::zip_equal(global, rule.operands))
      inputs.push_back(interpreter::shardOf(
          input, shardingOf(tensor, assignment), mesh, rank));
  localize(module, assignment, mesh);
  ASSERT_TRUE(succeeded(verify(*module))) << text(assignment) << "\n"
                                          << module.getDiagnostics();
  SmallVector<Sharding> shardings;
  for (size_t index = 0; index < rule.results.size(); ++index)
    shardings.push_back(resultSharding(rule, index, assignment));
  expectEqual(runAll(module, local), runGlobal(GetParam(), global), shardings,
              mesh, text(assignment));
}

void Rule::checkAssignments(StringRef meshText) {
  interpreter::ParsedModule module(GetParam().text(meshText));
  auto op = dyn_cast<ShardableOpInterface>(opOf(module));
  ASSERT_TRUE(op);
  ShardingRule rule = op.getShardingRule();
  MeshAttr mesh = getMesh(*module);
  for (const Assignment &assignment :
       allAssignments(rule.factors.size(), mesh.getNames()))
    if (isLegal(rule, assignment, mesh))
      checkSplit(meshText, assignment);
}

TEST_P(Rule, HoldsForEverySplitOverTwoAndTwo) {
  checkAssignments("a = 2, b = 2");
}

TEST_P(Rule, HoldsForEverySplitOverTwoAndThree) {
  checkAssignments("a = 2, b = 3");
}

//===----------------------------------------------------------------------===//
// Partial operands
//===----------------------------------------------------------------------===//

/// Gives each rank of axis a a piece of `operands` that sum up to the global
/// values: the results must sum up too.
void Rule::checkPartial(StringRef meshText, ArrayRef<unsigned> operands) {
  interpreter::ParsedModule module(GetParam().text(meshText));
  MeshAttr mesh = getMesh(*module);
  auto rule = cast<ShardableOpInterface>(opOf(module)).getShardingRule();
  Tensors global = inputsFor(GetParam(), module.getFunction("main"));
  SmallVector<Tensors> local(mesh.getNumRanks(), global);
  for (unsigned operand : operands)
    for (int64_t i = 0; i < global[operand].size(); ++i) {
      double x = global[operand].data[i];
      local[0][operand].data[i] = 0.25 * x + 0.5;
      local[1][operand].data[i] = x - (0.25 * x + 0.5);
    }
  SmallVector<Sharding> shardings;
  for (const TensorFactors &result : rule.results) {
    shardings.push_back(Sharding::replicated(result.size()));
    shardings.back().partial.push_back(mesh.getNames()[0]);
  }
  expectEqual(runAll(module, local), runGlobal(GetParam(), global), shardings,
              mesh, "partial operands");
}

TEST_P(Rule, KeepsPartialWhatItIsLinearIn) {
  interpreter::ParsedModule module(GetParam().text("a = 2"));
  auto rule = cast<ShardableOpInterface>(opOf(module)).getShardingRule();
  SmallVector<unsigned> together;
  for (auto [operand, linearity] : llvm::enumerate(rule.linearity)) {
    if (linearity == Linearity::Each)
      checkPartial("a = 2", operand);
    if (linearity == Linearity::Together)
      together.push_back(operand);
  }
  if (!together.empty())
    checkPartial("a = 2", together);
}

INSTANTIATE_TEST_SUITE_P(Ops, Rule, testing::ValuesIn(opCases()), caseName);

//===----------------------------------------------------------------------===//
// What the rules must allow
//===----------------------------------------------------------------------===//

/// Sizes of the factors of one dimension of a reshape.
static SmallVector<int64_t> sizesOf(const ShardingRule &rule,
                                    const DimFactors &dim) {
  SmallVector<int64_t> sizes;
  for (unsigned factor : dim)
    sizes.push_back(rule.factors[factor].size);
  return sizes;
}

TEST(ReshapeRule, SplitsAProjectionIntoHeadsAndParts) {
  MLIRContext context;
  Type f32 = Float32Type::get(&context);
  // [s, b, n·3·k] → [s, b, n, 3, k]
  auto from = RankedTensorType::get({64, 4, 768}, f32);
  auto to = RankedTensorType::get({64, 4, 4, 3, 64}, f32);
  ShardingRule rule = ShardingRule::reshape(from, to);
  EXPECT_EQ(rule.check({from}, {to}), "");
  EXPECT_EQ(sizesOf(rule, rule.operands[0][2]),
            SmallVector<int64_t>({4, 3, 64}));
  EXPECT_EQ(rule.operands[0][2][0], rule.results[0][2][0]);
  for (const Factor &factor : rule.factors)
    EXPECT_FALSE(factor.whole);
}

TEST(ReshapeRule, SharesTheMajorPartWhereSizesDoNotNest) {
  MLIRContext context;
  Type f32 = Float32Type::get(&context);
  // 4 = 2·2 and 6 = 2·3 share the major 2; what is behind it is whole.
  auto from = RankedTensorType::get({4, 6}, f32);
  auto to = RankedTensorType::get({6, 4}, f32);
  ShardingRule rule = ShardingRule::reshape(from, to);
  EXPECT_EQ(rule.check({from}, {to}), "");
  EXPECT_EQ(rule.operands[0][0][0], rule.results[0][0][0]);
  EXPECT_EQ(rule.factors[rule.operands[0][0][0]].size, 2);
  EXPECT_FALSE(rule.factors[rule.operands[0][0][0]].whole);
  EXPECT_TRUE(rule.factors[rule.operands[0][1][0]].whole);
}
