// The minimum cut against hand-made graphs and exhaustive search.
#include "passes/differentiate/MinCut.h"

#include "gtest/gtest.h"
#include <random>

using namespace orrery::passes;

TEST(MinCut, CutsTheNarrowestEdgeOfAChain) {
  MinCut graph;
  unsigned a = graph.addNode(), b = graph.addNode();
  graph.addEdge(MinCut::kSource, a, 5);
  graph.addEdge(a, b, 2);
  graph.addEdge(b, MinCut::kSink, 4);
  llvm::BitVector sinkSide = graph.solve();
  EXPECT_FALSE(sinkSide.test(a));
  EXPECT_TRUE(sinkSide.test(b));
}

TEST(MinCut, PrefersTheCutNearestToTheSink) {
  MinCut graph;
  unsigned a = graph.addNode();
  graph.addEdge(MinCut::kSource, a, 3);
  graph.addEdge(a, MinCut::kSink, 3);
  EXPECT_FALSE(graph.solve().test(a));
}

TEST(MinCut, TakesWhatNoPathReachesToTheSink) {
  MinCut graph;
  unsigned free = graph.addNode();
  graph.addEdge(free, MinCut::kSink, MinCut::kInfinite);
  EXPECT_TRUE(graph.solve().test(free));
}

TEST(MinCut, AgreesWithExhaustiveSearchOnRandomGraphs) {
  std::mt19937 engine(1);
  for (int round = 0; round < 200; ++round) {
    constexpr unsigned kNodes = 6;
    int64_t capacity[kNodes + 2][kNodes + 2] = {};
    MinCut graph;
    for (unsigned i = 0; i < kNodes; ++i)
      graph.addNode();
    for (unsigned from = 0; from < kNodes + 2; ++from)
      for (unsigned to = 0; to < kNodes + 2; ++to)
        if (from != to && engine() % 3 == 0) {
          capacity[from][to] = engine() % 9 + 1;
          graph.addEdge(from, to, capacity[from][to]);
        }
    auto cost = [&](unsigned sourceSet) { // bit i: node i on the source's side
      int64_t sum = 0;
      for (unsigned from = 0; from < kNodes + 2; ++from)
        for (unsigned to = 0; to < kNodes + 2; ++to)
          if ((sourceSet >> from & 1) && !(sourceSet >> to & 1))
            sum += capacity[from][to];
      return sum;
    };
    int64_t best = MinCut::kInfinite;
    for (unsigned inner = 0; inner < 1u << kNodes; ++inner)
      best = std::min(best, cost(inner << 2 | 1));
    llvm::BitVector sinkSide = graph.solve();
    unsigned sourceSet = 0;
    for (unsigned node = 0; node < kNodes + 2; ++node)
      sourceSet |= !sinkSide.test(node) << node;
    EXPECT_EQ(cost(sourceSet), best) << "round " << round;
  }
}
