// Lowering of single ops to instructions on views.
#include "passes/schedule/ClassLowering.h"
#include "passes/schedule/GemmShape.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::passes;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Value ClassLowering::view(const Place &place) {
  return rank::ViewOp::create(builder, target.getLoc(), place.getType(),
                              place.buffer.getValue(), place.offset);
}

void ClassLowering::copy(const Place &from, const Place &to) {
  if (from.buffer == to.buffer && from.offset == to.offset)
    return; // produced in place
  rank::CopyOp::create(builder, target.getLoc(), view(from), view(to));
}

Place ClassLowering::contiguous(Value value) {
  Place place = places.at(value);
  if (place.isContiguous())
    return place;
  Place dense = Place::whole(
      createBuffer(rank::BufferKind::Work,
                   MemRefType::get(place.shape, place.elementType), 1),
      typeOf(value));
  copy(place, dense);
  return dense;
}

/// Where `instruction` came from: layer, name and work.
void ClassLowering::note(Operation *instruction, Operation *from) {
  if (Attribute layer = from->getAttr(dfg::kLayerAttr))
    instruction->setAttr(dfg::kLayerAttr, layer);
  std::string label = from->getName().stripDialect().str();
  if (auto matmul = dyn_cast<dfg::MatmulOp>(from))
    label += " " + matmul.getEquation().str();
  if (from->hasAttr("dfg.recompute"))
    label += " (recomputed)";
  instruction->setAttr(rank::kLabelAttr, builder.getStringAttr(label));
  if (auto costed = dyn_cast<dfg::CostedOpInterface>(from))
    instruction->setAttr(rank::kFlopsAttr,
                         builder.getI64IntegerAttr(costed.getFlops()));
}

LogicalResult ClassLowering::lowerReshape(dfg::ReshapeOp op) {
  if (places.count(op))
    return success(); // its operand was produced in its place
  auto place = places.at(op.getOperand()).reshaped(op.getType().getShape());
  if (!place) {
    Place dense = contiguous(op.getOperand());
    place = dense.reshaped(op.getType().getShape());
  }
  places[op] = *place;
  return success();
}

LogicalResult ClassLowering::lowerConcat(dfg::ConcatOp op) {
  Place whole = destinationFor(op);
  int64_t start = 0;
  for (Value operand : op.getOperands()) {
    int64_t size = typeOf(operand).getDimSize(op.getDim());
    copy(places.at(operand), whole.sliced(op.getDim(), start, size));
    start += size;
  }
  return success();
}

LogicalResult ClassLowering::lowerMatmul(dfg::MatmulOp op) {
  Place a = places.at(op.getLhs()), b = places.at(op.getRhs()), c;
  APFloat beta(0.0);
  if (auto grad = soleGradient(op)) {
    c = parameterField(grad.getParameterAttr(), "gradient");
    beta = APFloat(1.0);
    done.insert(grad);
  } else {
    c = destinationFor(op);
  }
  auto shape = getGemmShape(op.getEquation(), a, b, c);
  if (!shape) {
    a = contiguous(op.getLhs());
    b = contiguous(op.getRhs());
    shape = getGemmShape(op.getEquation(), a, b, c);
  }
  if (!shape)
    return op.emitOpError("cannot be written as one matrix product: the "
                          "letters of a group in '")
           << op.getEquation() << "' are not adjacent in memory";
  if (shape->swapped)
    std::swap(a, b);
  auto gemm = rank::GemmOp::create(
      builder, op.getLoc(), view(a), view(b), view(c), /*bias=*/Value(),
      /*aux=*/Value(), shape->transposeA, shape->transposeB, shape->m, shape->n,
      shape->k, shape->lda, shape->ldb, shape->ldc, shape->batch,
      shape->strideA, shape->strideB, shape->strideC,
      /*alpha=*/APFloat(1.0), beta);
  note(gemm, op);
  return success();
}

LogicalResult ClassLowering::lowerFused(dfg::FusedOp op) {
  SmallVector<Value> inputs, outputs;
  for (Value input : op.getInputs())
    inputs.push_back(view(contiguous(input)));
  SmallVector<std::pair<Place, Place>, 1> copies;
  for (Value output : op.getOutputs()) {
    Place place = destinationFor(output);
    if (!place.isContiguous()) {
      Place dense = Place::whole(
          createBuffer(rank::BufferKind::Work,
                       MemRefType::get(place.shape, place.elementType), 1),
          typeOf(output));
      copies.push_back({dense, place});
      place = dense;
    }
    outputs.push_back(view(place));
  }
  auto launch = rank::LaunchOp::create(builder, op.getLoc(), inputs, outputs);
  Block &body = launch.getBody().emplaceBlock();
  IRMapping mapping;
  for (Value input : op.getInputs())
    mapping.map(input, body.addArgument(input.getType(), op.getLoc()));
  // Operands that occur twice get the last argument: equal values.
  OpBuilder(&body, body.end()).clone(*op, mapping);
  note(launch, op);
  for (auto &[from, to] : copies)
    copy(from, to);
  return success();
}

LogicalResult ClassLowering::lowerAttention(dfg::AttentionOp op) {
  Value documents =
      op.getDocumentStart() ? viewOf(op.getDocumentStart()) : Value();
  Value q = viewOf(op.getQ()), k = viewOf(op.getK()), v = viewOf(op.getV());
  auto instruction = rank::AttentionOp::create(
      builder, op.getLoc(), q, k, v, documents,
      view(destinationFor(op.getResult())), view(destinationFor(op.getLse())),
      op.getScale(), op.getCausal(), op.getProbability(), op.getStream(),
      op.getLayer(), op.getFirstSample(), op.getNumSamples(), op.getFirstHead(),
      op.getNumHeads());
  note(instruction, op);
  return success();
}

LogicalResult ClassLowering::lowerAttentionGrad(dfg::AttentionGradOp op) {
  Value documents =
      op.getDocumentStart() ? viewOf(op.getDocumentStart()) : Value();
  Value q = viewOf(op.getQ()), k = viewOf(op.getK()), v = viewOf(op.getV());
  Value o = viewOf(op.getResult()), lse = viewOf(op.getLse());
  Value gradO = viewOf(op.getGrad());
  auto instruction = rank::AttentionGradOp::create(
      builder, op.getLoc(), q, k, v, o, lse, gradO, documents,
      view(destinationFor(op.getGradQ())), view(destinationFor(op.getGradK())),
      view(destinationFor(op.getGradV())), op.getScale(), op.getCausal(),
      op.getProbability(), op.getStream(), op.getLayer(), op.getFirstSample(),
      op.getNumSamples(), op.getFirstHead(), op.getNumHeads());
  note(instruction, op);
  return success();
}

/// A sum over leading dimensions: rows of a matrix added up. Dimensions of size
/// one count for nothing.
LogicalResult ClassLowering::lowerReduce(dfg::ReduceOp op) {
  Place in = contiguous(op.getOperand());
  int64_t rows = 1, columns = 1;
  for (auto [dim, size] : llvm::enumerate(in.shape)) {
    if (!llvm::is_contained(op.getDims(), dim))
      columns *= size;
    else if (size > 1 && columns > 1)
      return op.emitOpError("sums over dimension ")
             << dim << " behind a dimension that stays; only leading ones are "
             << "summed outside of fused regions";
    else
      rows *= size;
  }
  if (op.getKind() != dfg::Reduction::Sum && rows > 1)
    return op.emitOpError("takes a maximum over leading dimensions, which has "
                          "no instruction");
  // The same bytes, unless they are scratch that the backward must not read.
  if (rows == 1 && !crossesToBackward(op)) {
    places[op] = *in.reshaped(op.getType().getShape());
    return success();
  }
  auto grad = soleGradient(op);
  Place out = grad ? parameterField(grad.getParameterAttr(), "gradient")
                   : destinationFor(op);
  if (grad)
    done.insert(grad);
  auto instruction = rank::ColumnSumOp::create(
      builder, op.getLoc(), view(*in.reshaped({rows, columns})),
      view(*out.reshaped({columns})), /*accumulate=*/static_cast<bool>(grad));
  note(instruction, op);
  return success();
}

LogicalResult ClassLowering::lowerEmbeddingGrad(dfg::EmbeddingGradOp op) {
  Place out;
  if (auto grad = soleGradient(op)) {
    out = parameterField(grad.getParameterAttr(), "gradient");
    done.insert(grad);
  } else {
    out = destinationFor(op);
    rank::FillOp::create(builder, op.getLoc(), view(out), APFloat(0.0));
  }
  auto instruction = rank::EmbeddingGradOp::create(
      builder, op.getLoc(), view(contiguous(op.getIds())),
      view(contiguous(op.getGrad())), view(out), op.getFirstRow());
  note(instruction, op);
  return success();
}

void ClassLowering::flatReduce(Operation *op, rank::FlatOp kind) {
  Place in = contiguous(op->getOperand(0));
  auto instruction = rank::FlatReduceOp::create(
      builder, op->getLoc(), kind, view(*in.reshaped({in.getNumElements()})),
      view(destinationFor(op->getResult(0))));
  note(instruction, op);
}

/// to += from, as a kernel of one addition.
void ClassLowering::add(Operation *op, const Place &from, const Place &to) {
  Type sum = RankedTensorType::get(to.shape, to.elementType);
  Type part = RankedTensorType::get(from.shape, from.elementType);
  Value in = view(from), out = view(to);
  auto launch = rank::LaunchOp::create(builder, op->getLoc(),
                                       ValueRange{out, in}, ValueRange{out});
  Location loc = op->getLoc();
  Block &body = launch.getBody().emplaceBlock();
  body.addArguments({sum, part}, {loc, loc});
  OpBuilder inner(&body, body.end());
  auto fused = dfg::FusedOp::create(inner, loc, TypeRange{sum},
                                    body.getArguments(), to.shape);
  Block &region = fused.getBody().emplaceBlock();
  region.addArguments({sum, part}, {loc, loc});
  inner.setInsertionPointToStart(&region);
  Value addend = region.getArgument(1);
  if (sum != part)
    addend = dfg::CastOp::create(inner, loc, sum, addend);
  Value total = dfg::AddOp::create(inner, loc, region.getArgument(0), addend);
  dfg::YieldOp::create(inner, loc, total);
  note(launch, op);
}
