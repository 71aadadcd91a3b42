// The interpreter itself: collectives against their defining equations, stages
// that exchange values, ranks that wait for ever.
#include "test/interpreter/Interpreter.h"
#include "test/interpreter/ParseModule.h"

#include "gtest/gtest.h"

using namespace orrery;
using namespace orrery::interpreter;

namespace {
/// A tensor that differs on every rank and in every element.
Tensor numbered(llvm::ArrayRef<int64_t> shape, int64_t rank) {
  Tensor tensor(shape, 0);
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.data[i] = 100 * rank + i;
  return tensor;
}

/// Runs @main of `text` with one numbered argument per rank.
llvm::SmallVector<Tensors> runNumbered(const char *text,
                                       llvm::ArrayRef<int64_t> shape) {
  ParsedModule parsed(text);
  Interpreter interpreter(*parsed);
  llvm::SmallVector<Tensors> inputs;
  for (int64_t rank = 0; rank < interpreter.getNumRanks(); ++rank)
    inputs.push_back({numbered(shape, rank)});
  auto results = interpreter.run("main", inputs);
  EXPECT_TRUE(mlir::succeeded(results));
  return mlir::succeeded(results) ? *results : llvm::SmallVector<Tensors>();
}
} // namespace

TEST(Interpreter, AllReduceIsAllGatherOfReduceScatter) {
  auto results = runNumbered(R"(
    module attributes {dfg.mesh = #dfg.mesh<dp = 2, tp = 2>} {
      func.func @main(%x: tensor<4x3xf32>) -> (tensor<4x3xf32>,
                                               tensor<4x3xf32>) {
        %0 = dfg.all_reduce sum %x {axes = ["tp"]} : tensor<4x3xf32>
        %1 = dfg.reduce_scatter %x {axes = ["tp"], dim = 0 : i64}
            : tensor<4x3xf32> -> tensor<2x3xf32>
        %2 = dfg.all_gather %1 {axes = ["tp"], dim = 0 : i64}
            : tensor<2x3xf32> -> tensor<4x3xf32>
        return %0, %2 : tensor<4x3xf32>, tensor<4x3xf32>
      }
    })",
                             {4, 3});
  ASSERT_EQ(results.size(), 4u);
  for (int64_t rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(distance(results[rank][0], results[rank][1]), 0);
    // Ranks 0, 1 and 2, 3 share a dp coordinate; element 5 is 100 r + 5.
    EXPECT_EQ(results[rank][0].data[5], rank < 2 ? 5 + 105 : 205 + 305);
  }
}

TEST(Interpreter, AllToAllIsAllSliceOfAllGather) {
  auto results = runNumbered(R"(
    module attributes {dfg.mesh = #dfg.mesh<dp = 2, tp = 2>} {
      func.func @main(%x: tensor<2x8xf32>) -> (tensor<8x2xf32>,
                                               tensor<8x2xf32>) {
        %0 = dfg.all_to_all %x {axes = ["tp", "dp"], split = 1 : i64,
            concat = 0 : i64} : tensor<2x8xf32> -> tensor<8x2xf32>
        %1 = dfg.all_gather %x {axes = ["tp", "dp"], dim = 0 : i64}
            : tensor<2x8xf32> -> tensor<8x8xf32>
        %2 = dfg.all_slice %1 {axes = ["tp", "dp"], dim = 1 : i64}
            : tensor<8x8xf32> -> tensor<8x2xf32>
        return %0, %2 : tensor<8x2xf32>, tensor<8x2xf32>
      }
    })",
                             {2, 8});
  ASSERT_EQ(results.size(), 4u);
  for (int64_t rank = 0; rank < 4; ++rank)
    EXPECT_EQ(distance(results[rank][0], results[rank][1]), 0);
  // Axes are major to minor: rank 1 = (dp 0, tp 1) has position 2, so its first
  // two rows are columns 4 and 5 of rank 0.
  EXPECT_EQ(results[1][0].data[0], 4);
  // Its rows 2 and 3 are those of position 1: (dp 1, tp 0) = rank 2.
  EXPECT_EQ(results[1][0].data[4], 204);
}

TEST(Interpreter, OnlyLeavesOtherRanksAlone) {
  auto results = runNumbered(R"(
    module attributes {dfg.mesh = #dfg.mesh<pp = 3>} {
      func.func @main(%x: tensor<1xf32>) -> tensor<1xf32> {
        %0 = dfg.all_reduce sum %x {axes = ["pp"], only = array<i64: 0, 2>}
            : tensor<1xf32>
        return %0 : tensor<1xf32>
      }
    })",
                             {1});
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0][0].data[0], 200);
  EXPECT_EQ(results[1][0].data[0], 100);
  EXPECT_EQ(results[2][0].data[0], 200);
}

TEST(Interpreter, SendsFromStageToStage) {
  auto results = runNumbered(R"(
    module attributes {dfg.mesh = #dfg.mesh<pp = 2, tp = 2>} {
      module @stage0 attributes {dfg.stages = array<i64: 0>} {
        func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
          dfg.send %x {delta = 1 : i64} : tensor<2xf32>
          %0 = dfg.receive {delta = 1 : i64} : tensor<2xf32>
          return %0 : tensor<2xf32>
        }
      }
      module @stage1 attributes {dfg.stages = array<i64: 1>} {
        func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
          %0 = dfg.receive {delta = -1 : i64} : tensor<2xf32>
          %1 = dfg.add %0, %x : tensor<2xf32>
          dfg.send %1 {delta = -1 : i64} : tensor<2xf32>
          return %0 : tensor<2xf32>
        }
      }
    })",
                             {2});
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[3][0].data[1], 101);       // what rank 1 sent
  EXPECT_EQ(results[1][0].data[1], 101 + 301); // and got back
}

TEST(Interpreter, ReportsRanksThatWaitForEver) {
  ParsedModule parsed(R"(
    module attributes {dfg.mesh = #dfg.mesh<pp = 2>} {
      module @stage0 attributes {dfg.stages = array<i64: 0>} {
        func.func @main() {
          %0 = dfg.receive {delta = 1 : i64} : tensor<2xf32>
          return
        }
      }
      module @stage1 attributes {dfg.stages = array<i64: 1>} {
        func.func @main() { return }
      }
    })");
  Interpreter interpreter(*parsed);
  auto results = interpreter.run("main", {Tensors(), Tensors()});
  EXPECT_TRUE(mlir::failed(results));
  EXPECT_NE(parsed.getDiagnostics().find("rank 0 waits here for ever"),
            std::string::npos);
}

TEST(Interpreter, AssemblesShardsAndPartialValues) {
  ParsedModule parsed(R"(
    module attributes {dfg.mesh = #dfg.mesh<dp = 2, tp = 2>,
        test.state = #dfg.sharding<[dp, _], partial sum [tp]>} {})");
  auto mesh = dfg::getMesh(*parsed);
  auto state = dfg::Sharding::get(
      (*parsed)->getAttrOfType<dfg::ShardingAttr>("test.state"));
  Tensors locals;
  for (int64_t rank = 0; rank < 4; ++rank)
    locals.push_back(numbered({1, 2}, rank));
  llvm::SmallVector<Part> parts;
  for (int64_t rank = 0; rank < 4; ++rank)
    parts.push_back({rank, &locals[rank]});
  auto global = assemble(parts, state, mesh);
  ASSERT_TRUE(mlir::succeeded(global));
  EXPECT_EQ(global->shape, Shape({2, 2}));
  EXPECT_EQ(global->data, (std::vector<double>{100, 102, 500, 502}));
}
