// Minimum cut of a small directed graph.
#include "passes/differentiate/MinCut.h"

#include <algorithm>

using namespace orrery::passes;

unsigned MinCut::addNode() {
  edgesFrom.emplace_back();
  return edgesFrom.size() - 1;
}

void MinCut::addEdge(unsigned from, unsigned to, int64_t capacity) {
  edgesFrom[from].push_back(edges.size());
  edges.push_back({to, capacity});
  edgesFrom[to].push_back(edges.size());
  edges.push_back({from, 0});
}

/// Distances from the source along edges with capacity left.
bool MinCut::findLevels() {
  level.assign(edgesFrom.size(), -1);
  level[kSource] = 0;
  llvm::SmallVector<unsigned> queue = {kSource};
  for (size_t i = 0; i < queue.size(); ++i)
    for (unsigned id : edgesFrom[queue[i]])
      if (edges[id].capacity > 0 && level[edges[id].to] < 0) {
        level[edges[id].to] = level[queue[i]] + 1;
        queue.push_back(edges[id].to);
      }
  return level[kSink] >= 0;
}

int64_t MinCut::push(unsigned node, int64_t limit) {
  if (node == kSink)
    return limit;
  for (; next[node] < edgesFrom[node].size(); ++next[node]) {
    unsigned id = edgesFrom[node][next[node]];
    unsigned to = edges[id].to;
    if (edges[id].capacity <= 0 || level[to] != level[node] + 1)
      continue;
    int64_t flow = push(to, std::min(limit, edges[id].capacity));
    if (flow > 0) {
      edges[id].capacity -= flow;
      edges[id ^ 1].capacity += flow;
      return flow;
    }
  }
  return 0;
}

llvm::BitVector MinCut::solve() {
  while (findLevels()) {
    next.assign(edgesFrom.size(), 0);
    while (push(kSource, kInfinite) > 0)
      ;
  }
  // What can still reach the sink lies on its side.
  llvm::BitVector sinkSide(edgesFrom.size());
  llvm::SmallVector<unsigned> queue = {kSink};
  sinkSide.set(kSink);
  while (!queue.empty()) {
    unsigned node = queue.pop_back_val();
    for (unsigned id : edgesFrom[node]) {
      unsigned from = edges[id].to;
      if (edges[id ^ 1].capacity > 0 && !sinkSide.test(from)) {
        sinkSide.set(from);
        queue.push_back(from);
      }
    }
  }
  return sinkSide;
}
