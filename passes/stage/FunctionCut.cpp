// Cuts a function into the parts that the pipeline stages run.
#include "passes/stage/FunctionCut.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

//===----------------------------------------------------------------------===//
// Analysis
//===----------------------------------------------------------------------===//

bool FunctionCut::isBackward(Operation *op) {
  return begin && begin->isBeforeInBlock(op);
}

FailureOr<FunctionCut> FunctionCut::get(func::FuncOp function,
                                        const StageLayout &layout) {
  FunctionCut cut(function, layout);
  if (failed(cut.assign()))
    return failure();
  return cut;
}

LogicalResult FunctionCut::assign() {
  if (!llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("must have one block to be cut into stages");
  for (Operation &op : function.front().without_terminator()) {
    if (auto marker = dyn_cast<BeginBackwardOp>(op)) {
      begin = marker;
      continue;
    }
    if (failed(checkOperands(&op)))
      return failure();
    (begin ? backward : forward)[layout.stageOf(&op)].ops.push_back(&op);
  }
  return success();
}

LogicalResult FunctionCut::checkOperands(Operation *op) {
  int64_t stage = layout.stageOf(op);
  for (Value operand : op->getOperands()) {
    Operation *producer = operand.getDefiningOp();
    if (!producer || layout.stageOf(producer) == stage)
      continue;
    int64_t from = layout.stageOf(producer);
    bool back = isBackward(producer);
    if (stage == (back ? from - 1 : from + 1)) {
      (back ? backward : forward)[from].sent.insert(operand);
      continue;
    }
    InFlightDiagnostic error =
        op->emitOpError("of stage ")
        << stage << " reads a " << (back ? "backward" : "forward")
        << " value of stage " << from << "; it can come from stage "
        << (back ? stage + 1 : stage - 1) << " only";
    error.attachNote(producer->getLoc()) << "the value is made here";
    return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Layers counted from the stage's first
//===----------------------------------------------------------------------===//

static void subtract(Operation *op, StringRef name, int64_t firstLayer) {
  auto layer = op->getAttrOfType<IntegerAttr>(name);
  if (layer && layer.getInt() >= 0)
    op->setAttr(name,
                IntegerAttr::get(layer.getType(), layer.getInt() - firstLayer));
}

/// "layers.{layer}.w" of layer 5 is @layers.1.w on a stage that starts at 4.
static std::string relativeName(ParameterOp parameter, int64_t firstLayer) {
  constexpr StringLiteral kPlace = "{layer}";
  std::string name = parameter.getCheckpointName().str();
  size_t at = name.find(kPlace);
  if (at == std::string::npos)
    return parameter.getSymName().str();
  int64_t layer = static_cast<int64_t>(parameter.getLayer()) - firstLayer;
  return name.replace(at, kPlace.size(), std::to_string(layer));
}

void orrery::passes::makeRelative(Operation *op, int64_t firstLayer,
                                  const SymbolTable &parameters) {
  constexpr StringLiteral kParameter = "parameter", kLayer = "layer";
  if (auto parameter = dyn_cast<ParameterOp>(op))
    parameter.setSymName(relativeName(parameter, firstLayer));
  else if (auto reference = op->getAttrOfType<FlatSymbolRefAttr>(kParameter))
    if (auto used = parameters.lookup<ParameterOp>(reference.getValue()))
      op->setAttr(kParameter,
                  FlatSymbolRefAttr::get(op->getContext(),
                                         relativeName(used, firstLayer)));
  subtract(op, kLayer, firstLayer);
  subtract(op, kLayerAttr, firstLayer);
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

func::FuncOp FunctionCut::buildSignature(int64_t stage, OpBuilder &builder,
                                         IRMapping &values) {
  llvm::SmallSetVector<Value, 4> used;
  for (const std::vector<Part> *parts : {&forward, &backward})
    for (Operation *op : (*parts)[stage].ops)
      for (Value operand : op->getOperands())
        if (isa<BlockArgument>(operand))
          used.insert(operand);
  SmallVector<BlockArgument> arguments;
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  for (BlockArgument argument : function.getArguments())
    if (used.contains(argument)) {
      arguments.push_back(argument);
      types.push_back(argument.getType());
      attributes.push_back(function.getArgAttrDict(argument.getArgNumber()));
    }
  auto part =
      func::FuncOp::create(builder, function.getLoc(), function.getSymName(),
                           builder.getFunctionType(types, {}),
                           ArrayRef<NamedAttribute>(), attributes);
  values.map(arguments, part.addEntryBlock()->getArguments());
  return part;
}

void FunctionCut::buildPart(int64_t stage, bool isBackward, OpBuilder &builder,
                            const SymbolTable &parameters, IRMapping &values) {
  const std::vector<Part> &parts = isBackward ? backward : forward;
  int64_t ahead = isBackward ? -1 : 1, source = stage - ahead;
  int64_t firstLayer = layout.firstLayer(stage);
  int64_t entry = isBackward ? layout.layersPerStage - 1 : 0;
  if (source >= 0 && source < layout.numStages)
    for (Value value : parts[source].sent) {
      auto receive =
          ReceiveOp::create(builder, value.getLoc(), value.getType(), -ahead);
      receive->setAttr(kLayerAttr, builder.getI64IntegerAttr(entry));
      values.map(value, receive.getResult());
    }
  for (Operation *op : parts[stage].ops)
    makeRelative(builder.clone(*op, values), firstLayer, parameters);
  for (Value value : parts[stage].sent) {
    auto send =
        SendOp::create(builder, value.getLoc(), values.lookup(value), ahead);
    send->setAttr(kLayerAttr,
                  values.lookup(value).getDefiningOp()->getAttr(kLayerAttr));
  }
}

func::FuncOp FunctionCut::buildStage(int64_t stage, OpBuilder &builder,
                                     const SymbolTable &parameters) {
  OpBuilder::InsertionGuard guard(builder);
  IRMapping values;
  func::FuncOp part = buildSignature(stage, builder, values);
  builder.setInsertionPointToEnd(&part.front());
  buildPart(stage, /*isBackward=*/false, builder, parameters, values);
  if (begin) {
    Operation *marker = builder.clone(*begin.getOperation());
    int64_t last = std::min(layerOf(marker), layout.firstLayer(stage + 1));
    marker->setAttr(kLayerAttr,
                    builder.getI64IntegerAttr(last - layout.firstLayer(stage)));
    buildPart(stage, /*isBackward=*/true, builder, parameters, values);
  }
  func::ReturnOp::create(builder, function.getLoc());
  return part;
}
