// Writes the layers that models are made of into the dfg dialect.
#include "frontend/model/ModelBuilder.h"

using namespace mlir;
using namespace orrery::dfg;

namespace orrery::frontend {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

ModelBuilder::ModelBuilder(ModuleOp module, const job::JobSpec &job)
    : module(module), job(job), builder(module.getContext()), symbols(module),
      loc(UnknownLoc::get(module.getContext())) {}

//===----------------------------------------------------------------------===//
// Functions and scopes
//===----------------------------------------------------------------------===//

void ModelBuilder::beginFunction(StringRef name, bool isTraining) {
  training = isTraining;
  auto integer = RankedTensorType::get({job.model().seq_length(), getBatch()},
                                       builder.getI32Type());
  auto real = integer.clone(builder.getF32Type());
  SmallVector<std::pair<StringRef, Type>> arguments = {
      {"tokens", integer},
      {"labels", integer},
      {"position_ids", integer},
      {"loss_mask", real}};
  if (job.model().reset_attention_mask())
    arguments.push_back({"document_start", integer});

  SmallVector<Type> types(llvm::make_second_range(arguments));
  builder.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(builder, loc, name,
                                  builder.getFunctionType(types, {}));
  Block *body = function.addEntryBlock();
  inputs.clear();
  for (auto [index, argument] : llvm::enumerate(arguments)) {
    function.setArgAttr(index, kInputAttr,
                        builder.getStringAttr(argument.first));
    inputs[argument.first] = body->getArgument(index);
  }
  builder.setInsertionPointToEnd(body);
}

void ModelBuilder::endFunction() {
  func::ReturnOp::create(builder, UnknownLoc::get(module.getContext()));
}

void ModelBuilder::setScope(int64_t newLayer, StringRef newPrefix) {
  layer = newLayer;
  prefix = newPrefix.str();
}

Value ModelBuilder::input(StringRef name) const { return inputs.at(name); }

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

int64_t ModelBuilder::getBatch() const {
  return job.parallel().micro_batch_size() * job.parallel().data();
}

Type ModelBuilder::getType() {
  switch (job.model().dtype()) {
  case job::FLOAT16:
    return builder.getF16Type();
  case job::BFLOAT16:
    return builder.getBF16Type();
  default:
    return builder.getF32Type();
  }
}

RankedTensorType ModelBuilder::tensor(ArrayRef<int64_t> shape,
                                      Type elementType) {
  return RankedTensorType::get(shape, elementType ? elementType : getType());
}

IndexAttr ModelBuilder::zeroIndex() {
  return IndexAttr::get(builder.getContext(), 0);
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

static StringRef roleName(Role role) {
  switch (role) {
  case Role::Column:
    return "column";
  case Role::Row:
    return "row";
  case Role::Vocabulary:
    return "vocabulary";
  case Role::Replicated:
    return "replicated";
  }
  llvm_unreachable("role without a name");
}

Value ModelBuilder::weight(StringRef name, ArrayRef<int64_t> shape, Role role,
                           Initial initial) {
  constexpr StringLiteral kPlace = "{layer}";
  std::string checkpointName = prefix + name.str(), symbol = checkpointName;
  bool inLayer = false;
  if (size_t at = symbol.find(kPlace); at != std::string::npos) {
    symbol.replace(at, kPlace.size(), std::to_string(layer));
    inLayer = true;
  }
  RankedTensorType type = tensor(shape);
  if (!symbols.lookup(symbol)) {
    OpBuilder::InsertionGuard guard(builder);
    if (lastParameter)
      builder.setInsertionPointAfter(lastParameter);
    else
      builder.setInsertionPointToStart(module.getBody());
    auto parameter = ParameterOp::create(
        builder, loc, symbol, type, roleName(role), checkpointName,
        inLayer ? layer : -1, APFloat(initial.deviation),
        APFloat(initial.value), initial.decays, /*tied=*/false,
        /*sharding=*/ShardingAttr{}, /*global_type=*/TypeAttr{},
        /*owners=*/DenseI64ArrayAttr{});
    lastParameter = parameter;
    symbols.insert(parameter);
  }
  return create<WeightOp>(type, symbol);
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

Value ModelBuilder::linear(Value x, StringRef name, int64_t outSize, Role role,
                           double deviation) {
  RankedTensorType type = typeOf(x);
  Value w = weight((name + ".weight").str(), {outSize, type.getShape().back()},
                   role, {deviation});
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = outSize;
  return create<MatmulOp>(tensor(shape), "sbi,oi->sbo", x, w);
}

Value ModelBuilder::addBias(Value x, StringRef name, Role role) {
  ArrayRef<int64_t> shape = typeOf(x).getShape();
  // A column bias is split with the rows of its weight; that of a row layer
  // is added once, behind the sum over the split.
  Value bias = weight((name + ".bias").str(), {shape.back()},
                      role == Role::Column ? role : Role::Replicated,
                      {0, 0, /*decays=*/false});
  return create<AddOp>(
      x, broadcast(bias, {static_cast<int64_t>(shape.size()) - 1}, shape));
}

Value ModelBuilder::norm(Value x, StringRef name) {
  Type real = builder.getF32Type();
  ArrayRef<int64_t> shape = typeOf(x).getShape();
  auto vector = [&](StringRef part, double value) {
    return cast(weight((name + "." + part).str(), {shape.back()},
                       Role::Replicated, {0, value, /*decays=*/false}),
                real);
  };
  Value gamma = vector("weight", 1), beta = vector("bias", 0);
  RankedTensorType rows = tensor(shape.drop_back(), real);
  auto norm = create<LayerNormOp>(
      TypeRange{tensor(shape, real), rows, rows}, cast(x, real), gamma, beta,
      builder.getF64FloatAttr(job.model().layernorm_epsilon()));
  return cast(norm.getResult(), getType());
}

Value ModelBuilder::dropout(Value x, double probability, StringRef stream) {
  if (!training || probability == 0)
    return x;
  SmallVector<Attribute> offsets(3, zeroIndex());
  return create<DropoutOp>(x.getType(), x, builder.getF64FloatAttr(probability),
                           builder.getStringAttr(stream),
                           builder.getI64IntegerAttr(layer),
                           builder.getDenseI64ArrayAttr(typeOf(x).getShape()),
                           builder.getArrayAttr(offsets));
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

Value ModelBuilder::cast(Value x, Type elementType) {
  if (typeOf(x).getElementType() == elementType)
    return x;
  return create<CastOp>(typeOf(x).clone(elementType), x);
}

Value ModelBuilder::reshape(Value x, ArrayRef<int64_t> shape) {
  return create<ReshapeOp>(typeOf(x).clone(shape), x);
}

Value ModelBuilder::reduce(Reduction kind, Value x, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> shape;
  for (auto [dim, size] : llvm::enumerate(typeOf(x).getShape()))
    if (!llvm::is_contained(dims, static_cast<int64_t>(dim)))
      shape.push_back(size);
  return create<ReduceOp>(typeOf(x).clone(shape), kind, x, dims);
}

Value ModelBuilder::broadcast(Value x, ArrayRef<int64_t> dims,
                              ArrayRef<int64_t> shape) {
  return create<BroadcastOp>(typeOf(x).clone(shape), x, dims);
}

} // namespace orrery::frontend
