// Lowering of one rank class: its state, its functions, dispatch over ops.
#include "passes/schedule/ClassLowering.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::passes;

ClassLowering::ClassLowering(ModuleOp classModule, ModuleOp planModule)
    : source(classModule), plan(planModule), builder(classModule.getContext()),
      declarations(classModule.getContext()) {}

LogicalResult ClassLowering::run() {
  auto stages = source->getAttrOfType<DenseI64ArrayAttr>(dfg::kStagesAttr);
  auto layers = source->getAttrOfType<DenseI64ArrayAttr>(dfg::kFirstLayersAttr);
  if (!stages || !layers)
    return source.emitOpError("needs the attributes dfg.stages and "
                              "dfg.first_layers; run dfg-stage first");
  SmallVector<int64_t> zeros(stages.size(), 0), ones(stages.size(), 1);
  builder.setInsertionPoint(source);
  StringRef name = source.getSymName().value_or("class");
  target = rank::ClassOp::create(builder, source.getLoc(), name,
                                 stages.asArrayRef(), layers.asArrayRef(),
                                 zeros, ones, IntegerAttr(), IntegerAttr());
  Block &body = target.getBody().emplaceBlock();
  declarations.setInsertionPointToStart(&body);
  if (failed(declareState()))
    return failure();
  for (auto function : source.getOps<func::FuncOp>()) {
    bool train = function.getName() == "train";
    if (failed(lowerFunction(function, train ? "forward" : function.getName(),
                             train ? "backward" : "")))
      return failure();
  }
  return success();
}

/// Buckets, their buffers, and the parameters in them.
LogicalResult ClassLowering::declareState() {
  SymbolTable symbols(source);
  for (auto bucket : source.getOps<dfg::BucketOp>()) {
    declareBucket(bucket);
    for (auto [symbol, offset] :
         llvm::zip(bucket.getParameters(), bucket.getOffsets()))
      declareParameter(bucket,
                       symbols.lookup<dfg::ParameterOp>(
                           cast<FlatSymbolRefAttr>(symbol).getAttr()),
                       offset);
  }
  for (auto parameter : source.getOps<dfg::ParameterOp>())
    if (!parameters.count(FlatSymbolRefAttr::get(parameter.getSymNameAttr())))
      return parameter.emitOpError(
          "is in no bucket; run dfg-update before rank-lower");
  return success();
}

void ClassLowering::declareBucket(dfg::BucketOp bucket) {
  MLIRContext *context = builder.getContext();
  auto flat = cast<RankedTensorType>(bucket.getType());
  SmallVector<Attribute> names, buffers;
  auto field = [&](StringRef name, rank::BufferKind kind, Type element) {
    std::string label = (bucket.getSymName() + "." + name).str();
    FlatSymbolRefAttr buffer =
        createBuffer(kind, MemRefType::get(flat.getShape(), element), 1, label);
    fields[label] = Place::whole(buffer, flat.clone(element));
    names.push_back(StringAttr::get(context, name));
    buffers.push_back(buffer);
  };
  Type f32 = Float32Type::get(context);
  field("weight", rank::BufferKind::Weight, flat.getElementType());
  field("gradient", rank::BufferKind::Gradient, f32);
  for (Attribute state : bucket.getStates())
    field(cast<StringAttr>(state).getValue(), rank::BufferKind::Optimizer, f32);
  rank::BucketOp::create(declarations, bucket.getLoc(), bucket.getSymName(),
                         ArrayAttr::get(context, names),
                         ArrayAttr::get(context, buffers),
                         bucket.getWeightDecay(), flat.getDimSize(0));
}

void ClassLowering::declareParameter(dfg::BucketOp bucket,
                                     dfg::ParameterOp parameter,
                                     int64_t offset) {
  auto local = cast<RankedTensorType>(parameter.getType());
  auto global = parameter.getGlobalType()
                    ? cast<RankedTensorType>(*parameter.getGlobalType())
                    : local;
  auto sharding = parameter.getShardingAttr();
  if (!sharding)
    sharding =
        dfg::Sharding::replicated(local.getRank()).toAttr(builder.getContext());
  auto owners = parameter.getOwners();
  bool owner = !owners || owners->empty() ||
               owners->front() == target.getStages().front();
  rank::ParameterOp::create(
      declarations, parameter.getLoc(), parameter.getCheckpointName(),
      bucket.getSymName(), offset, parameter.getLayer(), global.getShape(),
      sharding, parameter.getInitStd(), parameter.getInitValue(), owner);
  parameters[FlatSymbolRefAttr::get(parameter.getSymNameAttr())] = {
      FlatSymbolRefAttr::get(bucket.getSymNameAttr()), offset, local};
}

void ClassLowering::beginProgram(StringRef name) {
  builder.setInsertionPointToEnd(&target.getBody().front());
  auto program = rank::ProgramOp::create(builder, target.getLoc(), name);
  builder.setInsertionPointToStart(&program.getBody().emplaceBlock());
  // Buffers stay in front of the first program.
  if (declarations.getInsertionPoint() == target.getBody().front().end())
    declarations.setInsertionPoint(program);
}

LogicalResult ClassLowering::lowerFunction(func::FuncOp function,
                                           StringRef first, StringRef second) {
  Block &block = function.getBody().front();
  marker = nullptr;
  for (auto begin : block.getOps<dfg::BeginBackwardOp>())
    marker = begin;
  inForward = !second.empty();
  beginProgram(first);
  for (BlockArgument argument : block.getArguments()) {
    auto input = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                       dfg::kInputAttr);
    if (!input)
      return function.emitOpError("argument ")
             << argument.getArgNumber() << " has no attribute "
             << dfg::kInputAttr;
    FlatSymbolRefAttr &buffer = scalars[("input." + input.getValue()).str()];
    auto type = cast<RankedTensorType>(argument.getType());
    if (!buffer)
      buffer =
          createBuffer(rank::BufferKind::Input,
                       MemRefType::get(type.getShape(), type.getElementType()),
                       0, input.getValue());
    places[argument] = Place::whole(buffer, type);
  }
  for (Operation &op : block.without_terminator()) {
    if (&op == marker) {
      inForward = false;
      beginProgram(second);
      continue;
    }
    if (failed(lowerOp(&op)))
      return failure();
  }
  return success();
}

LogicalResult ClassLowering::lowerOp(Operation *op) {
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](dfg::WeightOp weight) {
        places[weight] = parameterField(weight.getParameterAttr(), "weight");
        return success();
      })
      .Case([&](dfg::ScalarOp scalar) {
        places[scalar] = scalarPlace(scalar.getName(), scalar.getType());
        return success();
      })
      .Case([&](dfg::MetricReadOp read) {
        places[read] = scalarPlace(read.getName(), read.getType());
        return success();
      })
      .Case([&](dfg::BucketReadOp read) {
        places[read] = *bucketField(read.getBucketAttr(), read.getField());
        return success();
      })
      .Case([&](dfg::MetricOp metric) {
        add(metric, contiguous(metric.getValue()),
            scalarPlace(metric.getName(), metric.getValue().getType()));
        return success();
      })
      .Case([&](dfg::MetricWriteOp write) {
        copy(places.at(write.getValue()),
             scalarPlace(write.getName(), write.getValue().getType()));
        return success();
      })
      .Case([&](dfg::BucketWriteOp write) {
        copy(places.at(write.getValue()),
             *bucketField(write.getBucketAttr(), write.getField()));
        return success();
      })
      .Case([&](dfg::AccumulateGradOp grad) {
        if (!done.contains(grad))
          add(grad, contiguous(grad.getGrad()),
              parameterField(grad.getParameterAttr(), "gradient"));
        return success();
      })
      .Case([&](dfg::SliceOp slice) {
        places[slice] =
            places.at(slice.getOperand())
                .sliced(slice.getDim(), slice.getStart(), slice.getSize());
        return success();
      })
      .Case([&](dfg::TransposeOp transpose) {
        places[transpose] =
            places.at(transpose.getOperand()).transposed(transpose.getPerm());
        return success();
      })
      .Case([&](dfg::ReshapeOp reshape) { return lowerReshape(reshape); })
      .Case([&](dfg::ConcatOp concat) { return lowerConcat(concat); })
      .Case([&](dfg::FusedOp fused) { return lowerFused(fused); })
      .Case([&](dfg::MatmulOp matmul) { return lowerMatmul(matmul); })
      .Case([&](dfg::AttentionOp op) { return lowerAttention(op); })
      .Case([&](dfg::AttentionGradOp op) { return lowerAttentionGrad(op); })
      .Case([&](dfg::ReduceOp reduce) { return lowerReduce(reduce); })
      .Case([&](dfg::EmbeddingOp embedding) {
        auto instruction = rank::EmbeddingOp::create(
            builder, op->getLoc(), view(contiguous(embedding.getTable())),
            view(contiguous(embedding.getIds())),
            view(destinationFor(embedding)), embedding.getFirstRow());
        note(instruction, op);
        return success();
      })
      .Case([&](dfg::EmbeddingGradOp grad) { return lowerEmbeddingGrad(grad); })
      .Case<dfg::AllReduceOp, dfg::AllGatherOp, dfg::ReduceScatterOp,
            dfg::AllSliceOp, dfg::AllToAllOp>(
          [&](Operation *) { return lowerCollective(op); })
      .Case<dfg::SendOp, dfg::ReceiveOp>(
          [&](Operation *) { return lowerTransfer(op); })
      .Case([&](dfg::SquareSumOp) {
        flatReduce(op, rank::FlatOp::SquareSum);
        return success();
      })
      .Case([&](dfg::CountZerosOp) {
        flatReduce(op, rank::FlatOp::CountZeros);
        return success();
      })
      .Case([&](dfg::CountNotFiniteOp) {
        flatReduce(op, rank::FlatOp::CountNotFinite);
        return success();
      })
      .Default([](Operation *other) {
        return other->emitOpError("has no instruction; run dfg-fuse before "
                                  "rank-lower");
      });
}
