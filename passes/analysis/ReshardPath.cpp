// Dijkstra's algorithm over the states of a value on the mesh.
#include "passes/analysis/ReshardPath.h"

#include <map>
#include <queue>

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

namespace {
/// A state as a key: the dimensions' axes, then the partial ones in mesh order.
std::string keyOf(const Sharding &state, MeshAttr mesh) {
  std::string key;
  for (const Axes &dim : state.dims) {
    for (StringAttr axis : dim)
      key += (axis.getValue() + ":").str();
    key += ',';
  }
  for (StringAttr axis : mesh.getNames())
    if (llvm::is_contained(state.partial, axis))
      key += ("+" + axis.getValue()).str();
  return key;
}

class PathSearch {
public:
  PathSearch(const Sharding &source, const Sharding &target,
             RankedTensorType type, MeshAttr mesh, const Machine &machine)
      : source(source), target(target), type(type), mesh(mesh),
        machine(machine) {
    for (size_t dim = 0; dim < target.dims.size(); ++dim)
      if (!target.dims[dim].empty() || !source.dims[dim].empty())
        dims.push_back(dim);
  }

  std::optional<ReshardPath> run();

private:
  struct Node {
    Sharding state;
    double seconds;
    std::string previous;
    ReshardStep step;
  };

  void expand(const std::string &key);
  void reach(const std::string &from, ReshardStep step);
  ReshardPath pathTo(const std::string &key);
  void mergeNeighbours(ReshardPath &path) const;
  double secondsOf(const ReshardStep &step, const Sharding &before) const;

  const Sharding &source, &target;
  RankedTensorType type;
  MeshAttr mesh;
  const Machine &machine;
  SmallVector<size_t> dims; // split on either end; others never matter
  std::map<std::string, Node> nodes;
  using Entry = std::pair<double, std::string>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
};
} // namespace

double PathSearch::secondsOf(const ReshardStep &step,
                             const Sharding &before) const {
  int64_t bytes = std::max(localBytes(type, before.dims, mesh),
                           localBytes(type, step.after.dims, mesh));
  return collectiveSeconds(step.kind, bytes, step.axes, mesh, machine);
}

void PathSearch::reach(const std::string &from, ReshardStep step) {
  for (auto [dim, axes] : llvm::enumerate(step.after.dims))
    if (type.getDimSize(dim) % mesh.getSize(axes) != 0)
      return;
  const Node &previous = nodes.at(from);
  // The smallest surcharge makes the shorter of two free paths win.
  double seconds = previous.seconds + secondsOf(step, previous.state) + 1e-12;
  std::string key = keyOf(step.after, mesh);
  auto [it, inserted] = nodes.try_emplace(key);
  if (!inserted && it->second.seconds <= seconds)
    return;
  it->second = {step.after, seconds, from, step};
  open.push({seconds, key});
}

void PathSearch::expand(const std::string &key) {
  const Sharding state = nodes.at(key).state;
  for (StringAttr axis : state.partial) {
    if (llvm::is_contained(target.partial, axis))
      continue;
    Sharding resolved = state;
    llvm::erase(resolved.partial, axis);
    reach(key, {Collective::AllReduce, {axis}, 0, 0, resolved});
    for (size_t dim : dims) {
      // Only sums scatter while they are reduced.
      if (state.reduction != Reduction::Sum)
        break;
      Sharding scattered = resolved;
      scattered.dims[dim].push_back(axis);
      reach(key,
            {Collective::ReduceScatter, {axis}, int64_t(dim), 0, scattered});
    }
  }
  for (size_t dim : dims) {
    if (state.dims[dim].empty())
      continue;
    StringAttr axis = state.dims[dim].back();
    Sharding gathered = state;
    gathered.dims[dim].pop_back();
    reach(key, {Collective::AllGather, {axis}, int64_t(dim), 0, gathered});
    for (size_t to : dims) {
      if (to == dim)
        continue;
      Sharding moved = gathered;
      moved.dims[to].push_back(axis);
      reach(key,
            {Collective::AllToAll, {axis}, int64_t(dim), int64_t(to), moved});
    }
  }
  for (size_t dim : dims)
    for (StringAttr axis : target.dims[dim]) {
      if (state.uses(axis))
        continue;
      Sharding sliced = state;
      sliced.dims[dim].push_back(axis);
      reach(key, {Collective::AllSlice, {axis}, int64_t(dim), 0, sliced});
    }
}

std::optional<ReshardPath> PathSearch::run() {
  std::string goal = keyOf(target, mesh), start = keyOf(source, mesh);
  nodes[start] = {source, 0, "", {}};
  open.push({0, start});
  while (!open.empty()) {
    auto [seconds, key] = open.top();
    open.pop();
    if (key == goal)
      return pathTo(key);
    if (seconds <= nodes.at(key).seconds)
      expand(key);
  }
  return std::nullopt;
}

ReshardPath PathSearch::pathTo(const std::string &goal) {
  ReshardPath path;
  for (std::string key = goal; !nodes.at(key).previous.empty();
       key = nodes.at(key).previous)
    path.steps.push_back(nodes.at(key).step);
  std::reverse(path.steps.begin(), path.steps.end());
  mergeNeighbours(path);
  const Sharding *before = &source;
  for (const ReshardStep &step : path.steps) {
    path.seconds += secondsOf(step, *before);
    before = &step.after;
  }
  return path;
}

/// all_gather(tp) then all_gather(dp) of one dimension split [dp:tp] is
/// all_gather(dp:tp): one latency less. Scatters and slices come in the order
/// major to minor, gathers from the minor side.
void PathSearch::mergeNeighbours(ReshardPath &path) const {
  SmallVector<ReshardStep, 2> merged;
  for (ReshardStep &step : path.steps) {
    bool joins = !merged.empty() && merged.back().kind == step.kind &&
                 merged.back().dim == step.dim &&
                 step.kind != Collective::AllToAll;
    if (!joins) {
      merged.push_back(step);
      continue;
    }
    Axes &axes = merged.back().axes;
    if (step.kind == Collective::AllGather)
      axes.insert(axes.begin(), step.axes.begin(), step.axes.end());
    else
      axes.append(step.axes.begin(), step.axes.end());
    merged.back().after = step.after;
  }
  path.steps = std::move(merged);
}

std::optional<ReshardPath>
orrery::passes::findReshardPath(const Sharding &source, const Sharding &target,
                                RankedTensorType type, MeshAttr mesh,
                                const Machine &machine) {
  for (StringAttr axis : target.partial)
    if (!llvm::is_contained(source.partial, axis))
      return std::nullopt;
  return PathSearch(source, target, type, mesh, machine).run();
}
