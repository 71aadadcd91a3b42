// State of the simulated ranks, and values put together from them.
#include "test/interpreter/Interpreter.h"

#include "test/interpreter/Lockstep.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::interpreter;

Interpreter::Interpreter(ModuleOp module) : mesh(dfg::getMesh(module)) {
  auto pp = StringAttr::get(module.getContext(), "pp");
  for (int64_t number = 0; number < mesh.getNumRanks(); ++number) {
    Rank &rank = ranks.emplace_back();
    rank.program = module;
    rank.context.mesh = mesh;
    rank.context.rank = number;
    int64_t stage = coordinate(mesh, number, pp);
    for (auto nested : module.getOps<ModuleOp>()) {
      auto stages = nested->getAttrOfType<DenseI64ArrayAttr>(dfg::kStagesAttr);
      auto layers =
          nested->getAttrOfType<DenseI64ArrayAttr>(dfg::kFirstLayersAttr);
      for (size_t i = 0; stages && i < stages.asArrayRef().size(); ++i)
        if (stages[i] == stage) {
          rank.program = nested;
          rank.context.firstLayer = layers ? layers[i] : 0;
        }
    }
  }
}

void Interpreter::setMicrobatch(int64_t index) {
  for (Rank &rank : ranks)
    rank.context.microbatch = index;
}

void Interpreter::zeroGradients() {
  for (Rank &rank : ranks) {
    rank.state.metrics.clear();
    for (auto parameter : rank.program.getOps<dfg::ParameterOp>())
      rank.state.gradients[parameter.getSymName()] =
          Tensor(cast<RankedTensorType>(parameter.getType()).getShape(), 0);
  }
}

SmallVector<Interpreter::Stage> Interpreter::stages() {
  auto pp = StringAttr::get(mesh.getContext(), "pp");
  SmallVector<Stage> result(mesh.getSize(pp));
  for (auto [number, rank] : llvm::enumerate(ranks)) {
    Stage &stage = result[coordinate(mesh, number, pp)];
    stage.program = rank.program;
    stage.ranks.push_back(number);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

static dfg::Sharding shardingOf(dfg::ParameterOp parameter) {
  if (parameter.getSharding())
    return dfg::Sharding::get(*parameter.getSharding());
  return dfg::Sharding::replicated(
      cast<RankedTensorType>(parameter.getType()).getRank());
}

/// Global shapes stay in the type until `global_type` is set.
static Shape globalShape(dfg::ParameterOp parameter) {
  Type type = parameter.getGlobalType().value_or(parameter.getType());
  return Shape(cast<RankedTensorType>(type).getShape());
}

LogicalResult
Interpreter::setParameters(const llvm::StringMap<Tensor> &global) {
  for (Rank &rank : ranks)
    for (auto parameter : rank.program.getOps<dfg::ParameterOp>()) {
      std::string name = rank.context.withLayer(parameter.getCheckpointName(),
                                                parameter.getLayer());
      auto found = global.find(name);
      if (found == global.end())
        return parameter.emitError()
               << "no value for parameter '" << name << "'";
      if (found->second.shape != globalShape(parameter))
        return parameter.emitError()
               << "the value of '" << name << "' has another shape";
      bool isLocal = parameter.getGlobalType().has_value();
      rank.state.parameters[parameter.getSymName()] =
          isLocal ? shardOf(found->second, shardingOf(parameter), mesh,
                            rank.context.rank)
                  : found->second;
    }
  zeroGradients();
  return success();
}

llvm::StringMap<Shape> Interpreter::getParameterShapes() {
  llvm::StringMap<Shape> shapes;
  for (Rank &rank : ranks)
    for (auto parameter : rank.program.getOps<dfg::ParameterOp>())
      shapes[rank.context.withLayer(parameter.getCheckpointName(),
                                    parameter.getLayer())] =
          globalShape(parameter);
  return shapes;
}

dfg::ParameterOp Interpreter::findParameter(int64_t rank,
                                            StringRef checkpointName) {
  for (auto parameter : ranks[rank].program.getOps<dfg::ParameterOp>())
    if (ranks[rank].context.withLayer(parameter.getCheckpointName(),
                                      parameter.getLayer()) == checkpointName)
      return parameter;
  return {};
}

//===----------------------------------------------------------------------===//
// Global values
//===----------------------------------------------------------------------===//

/// The state that `dfg.sharding` of an op without results records; replicated
/// when there is none.
static dfg::Sharding recordedSharding(Operation *op, int64_t rank) {
  if (auto all = op->getAttrOfType<ArrayAttr>(dfg::kShardingAttr))
    if (all.size() == 1 && isa<dfg::ShardingAttr>(all[0]))
      return dfg::Sharding::get(cast<dfg::ShardingAttr>(all[0]));
  return dfg::Sharding::replicated(rank);
}

FailureOr<Tensor> Interpreter::getParameter(StringRef checkpointName) {
  for (Stage &stage : stages()) {
    dfg::ParameterOp parameter =
        findParameter(stage.ranks.front(), checkpointName);
    if (!parameter)
      continue;
    SmallVector<Part> parts;
    for (int64_t rank : stage.ranks)
      parts.push_back(
          {rank, &getState(rank).parameters[parameter.getSymName()]});
    dfg::Sharding sharding = shardingOf(parameter);
    if (!parameter.getGlobalType())
      sharding = dfg::Sharding::replicated(sharding.dims.size());
    return assemble(parts, sharding, mesh);
  }
  return failure();
}

FailureOr<Tensor> Interpreter::getGradient(StringRef checkpointName) {
  std::optional<Tensor> sum;
  for (Stage &stage : stages()) {
    dfg::ParameterOp parameter =
        findParameter(stage.ranks.front(), checkpointName);
    auto train = stage.program.lookupSymbol<func::FuncOp>("train");
    if (!parameter || !train)
      continue;
    dfg::AccumulateGradOp last;
    train.walk([&](dfg::AccumulateGradOp op) {
      if (op.getParameter() == parameter.getSymName())
        last = op;
    });
    if (!last)
      continue;
    SmallVector<Part> parts;
    for (int64_t rank : stage.ranks)
      parts.push_back(
          {rank, &getState(rank).gradients[parameter.getSymName()]});
    FailureOr<Tensor> gradient = assemble(
        parts, recordedSharding(last, last.getGrad().getType().getRank()),
        mesh);
    if (failed(gradient))
      return failure();
    if (!sum)
      sum = *gradient;
    else
      for (auto [to, from] : llvm::zip_equal(sum->data, gradient->data))
        to += from;
  }
  if (!sum)
    return failure();
  return *sum;
}

FailureOr<double> Interpreter::getMetric(StringRef name, StringRef function) {
  for (Stage &stage : stages()) {
    auto body = stage.program.lookupSymbol<func::FuncOp>(function);
    dfg::MetricOp metric;
    if (body)
      body.walk([&](dfg::MetricOp op) {
        if (op.getName() == name)
          metric = op;
      });
    if (!metric)
      continue;
    SmallVector<Tensor> values;
    for (int64_t rank : stage.ranks)
      values.emplace_back(ArrayRef<int64_t>(), getState(rank).metrics[name]);
    SmallVector<Part> parts;
    for (auto [rank, value] : llvm::zip_equal(stage.ranks, values))
      parts.push_back({rank, &value});
    FailureOr<Tensor> total =
        assemble(parts, recordedSharding(metric, 0), mesh);
    if (failed(total))
      return failure();
    return total->data[0];
  }
  return failure();
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<Tensors>> Interpreter::run(StringRef name,
                                                 ArrayRef<Tensors> inputs) {
  return Lockstep(*this, name, inputs).run();
}

FailureOr<SmallVector<Tensors>>
Interpreter::run(StringRef name, const llvm::StringMap<Tensor> &inputs) {
  SmallVector<Tensors> perRank(ranks.size());
  for (auto [rank, local] : llvm::zip_equal(ranks, perRank)) {
    auto function = rank.program.lookupSymbol<func::FuncOp>(name);
    for (BlockArgument argument : function.getArguments()) {
      auto input = function.getArgAttrOfType<StringAttr>(
          argument.getArgNumber(), dfg::kInputAttr);
      auto found = input ? inputs.find(input.getValue()) : inputs.end();
      if (found == inputs.end())
        return function.emitError()
               << "no input for argument " << argument.getArgNumber();
      const Tensor &global = found->second;
      std::optional<dfg::Sharding> sharding = dfg::getSharding(argument);
      bool isLocal =
          Shape(cast<RankedTensorType>(argument.getType()).getShape()) !=
          global.shape;
      local.push_back(isLocal && sharding
                          ? shardOf(global, *sharding, mesh, rank.context.rank)
                          : global);
    }
  }
  return run(name, perRank);
}
