// Minimum cut of a small directed graph.
#ifndef ORRERY_PASSES_DIFFERENTIATE_MINCUT_H
#define ORRERY_PASSES_DIFFERENTIATE_MINCUT_H

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <limits>

namespace orrery::passes {

/// Dinic's algorithm: phases of blocking flows along shortest paths. Phases
/// number at most the longest path, which here is a chain of recomputed ops.
///
///   MinCut graph;
///   unsigned a = graph.addNode();
///   graph.addEdge(MinCut::kSource, a, 3);
///   graph.addEdge(a, MinCut::kSink, 2);
///   graph.solve();                        // sink side: {kSink}
class MinCut {
public:
  static constexpr unsigned kSource = 0, kSink = 1;
  static constexpr int64_t kInfinite = std::numeric_limits<int64_t>::max() / 4;

  MinCut() : edgesFrom(2) {}
  unsigned addNode();
  void addEdge(unsigned from, unsigned to, int64_t capacity);

  /// Pushes the maximum flow and returns the nodes on the sink's side of the
  /// minimum cut that lies closest to the sink.
  llvm::BitVector solve();

private:
  struct Edge {
    unsigned to;
    int64_t capacity; // left; the reverse edge is at index ^ 1
  };
  bool findLevels();
  int64_t push(unsigned node, int64_t limit);

  llvm::SmallVector<Edge> edges;
  llvm::SmallVector<llvm::SmallVector<unsigned, 4>> edgesFrom;
  llvm::SmallVector<int> level;
  llvm::SmallVector<unsigned> next; // first edge not yet exhausted
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_DIFFERENTIATE_MINCUT_H
