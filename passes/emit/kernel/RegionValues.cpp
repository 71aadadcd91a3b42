// Values of a region at a row and a run of columns.
#include "passes/emit/kernel/RegionCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

Value RegionCode::rowCoordinate(const KernelRow &row, int64_t dim) {
  int64_t inner = 1;
  for (int64_t i = dim + 1; i + 1 < int64_t(space.shape.size()); ++i)
    inner *= space.shape[i];
  Value outer = inner == 1 ? row.index : divide(row.index, inner);
  return dim == 0 ? outer : remainder(outer, space.shape[dim]);
}

Value RegionCode::numberIndex(Value value, const KernelRow &row) {
  SpaceDims rowDims(space.dims.find(value)->second);
  if (rowDims.empty() || space.flat)
    return number(0);
  if (space.hasColumns(value))
    rowDims.pop_back();
  if (rowDims.size() + 1 == space.shape.size())
    return row.index;
  Value index = number(0);
  for (int64_t dim : rowDims)
    index = add(mul(index, number(space.shape[dim])), rowCoordinate(row, dim));
  return index;
}

Value RegionCode::elementIndex(Value value, const Chunk &chunk) {
  if (space.flat)
    return space.isFull(value) ? chunk.column : number(0);
  if (chunk.element && space.isFull(value))
    return chunk.element;
  return add(mul(numberIndex(value, *chunk.row), number(space.columns)),
             chunk.column);
}

int64_t RegionCode::alignmentOf(unsigned buffer, Type element,
                                int64_t width) const {
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  if (alignments.empty())
    return bytes;
  return std::max(bytes, std::min(alignments[buffer], width * bytes));
}

Value RegionCode::loadInput(BlockArgument input, const Chunk &chunk,
                            int64_t walk) {
  unsigned buffer = input.getArgNumber();
  Type element = getElementTypeOrSelf(input);
  lastRead[input] = std::max(lastRead.lookup(input), walk);
  return lanes(chunk.width)
      .load(element, inputPointers[buffer], elementIndex(input, chunk),
            alignmentOf(buffer, element, chunk.width));
}

Value RegionCode::reload(Value value, const Chunk &chunk, int64_t walk) {
  Type element = getElementTypeOrSelf(value);
  for (auto [i, output] : llvm::enumerate(outputs))
    if (output == value && space.walk.lookup(value) < walk)
      return lanes(chunk.width)
          .load(element, outputPointers[i], elementIndex(value, chunk),
                alignmentOf(body.getNumArguments() + i, element, chunk.width));
  return {};
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value RegionCode::evaluate(Value value, Chunk &chunk, int64_t walk) {
  if (Value found = chunk.known.lookup(value))
    return found;
  Value result;
  if (!space.hasColumns(value))
    result = lanes(chunk.width).splat(chunk.row->numbers.lookup(value));
  else if (auto input = dyn_cast<BlockArgument>(value))
    result = loadInput(input, chunk, walk);
  else if (Value stored = reload(value, chunk, walk))
    result = stored;
  else
    result = evaluateOp(value.getDefiningOp(), chunk, walk);
  chunk.known[value] = result;
  return result;
}

Value RegionCode::evaluateOp(Operation *op, Chunk &chunk, int64_t walk) {
  if (auto pick = dyn_cast<PickGradOp>(op))
    return evaluatePickGrad(pick, chunk);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(evaluate(operand, chunk, walk));
  if (auto dropout = dyn_cast<DropoutOp>(op))
    return evaluateDropout(dropout, operands[0], chunk);
  Value result = lanes(chunk.width).compute(op, operands);
  if (!result) {
    if (!failed)
      op->emitOpError() << "has no code for elements of type "
                        << getElementTypeOrSelf(op->getResult(0));
    failed = true;
    return lanes(chunk.width).constant(builder.getF32Type(), 0.0);
  }
  return result;
}

Value RegionCode::evaluatePick(PickOp pick, KernelRow &row) {
  Lanes one = lanes(1);
  Type element = getElementTypeOrSelf(pick.getResult());
  Value id = arith::ExtSIOp::create(builder, loc, i64,
                                    row.numbers.lookup(pick.getIds()));
  Value column = arith::SubIOp::create(builder, loc, id, scalars[pick].front());
  // Unsigned, so that columns before the first are out of range too.
  Value inside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                       column, number(space.columns));
  // The column is another thread's to write.
  bool isWritten = synchronize && hasColumnOutputs();
  if (isWritten)
    synchronize();
  auto choice = scf::IfOp::create(builder, loc, TypeRange{one.wide(element)},
                                  inside, /*withElseRegion=*/true);
  builder.setInsertionPointToStart(choice.thenBlock());
  Chunk chunk{&row, column, 1};
  Value picked =
      evaluate(pick.getOperand(), chunk, space.walk.lookup(pick.getResult()));
  scf::YieldOp::create(builder, loc, one.convert(picked, one.wide(element)));
  builder.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(builder, loc, one.constant(one.wide(element), 0.0));
  builder.setInsertionPointAfter(choice);
  if (isWritten)
    synchronize();
  return one.convert(choice.getResult(0), element);
}

Value RegionCode::evaluatePickGrad(PickGradOp pick, const Chunk &chunk) {
  Lanes own = lanes(chunk.width);
  const Known &numbers = chunk.row->numbers;
  Value id =
      arith::ExtSIOp::create(builder, loc, i64, numbers.lookup(pick.getIds()));
  Value target = arith::SubIOp::create(builder, loc, id, scalars[pick].front());
  // target - column is the lane that holds the value, when it is one.
  Value lane = arith::SubIOp::create(builder, loc, target, chunk.column);
  Value first = own.iota();
  if (shortColumns) {
    // An i32 less a column is never as far as 2^32 from a lane's number.
    Type i32 = builder.getI32Type();
    lane = arith::TruncIOp::create(builder, loc, i32, lane);
    first = arith::TruncIOp::create(builder, loc, own.type(i32), first);
  }
  Value isTarget = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                         own.splat(lane), first);
  Type element = getElementTypeOrSelf(pick.getResult());
  Value grad =
      own.convert(own.splat(numbers.lookup(pick.getGrad())), own.wide(element));
  Value placed = arith::SelectOp::create(builder, loc, isTarget, grad,
                                         own.constant(own.wide(element), 0.0));
  return own.convert(placed, element);
}

Value RegionCode::evaluateDropout(DropoutOp dropout, Value x,
                                  const Chunk &chunk) {
  ArrayRef<int64_t> extent = dropout.getExtent();
  ArrayRef<Value> bases = scalars[dropout]; // key, sample, position, feature
  Value sample = add(rowCoordinate(*chunk.row, 1), bases[1]);
  Value position = add(rowCoordinate(*chunk.row, 0), bases[2]);
  Value line = add(mul(sample, number(extent[0])), position);
  Value first = add(mul(line, number(extent[2])), add(bases[3], chunk.column));

  auto offset = dropout.getOffset().getAsRange<IndexAttr>();
  IndexAttr feature = *std::next(offset.begin(), 2);
  bool aligned = chunk.width % 4 == 0 && extent[2] % 4 == 0 &&
                 feature.getConstant() % 4 == 0;
  for (NamedAttribute term : feature.getTerms())
    aligned &= cast<IntegerAttr>(term.getValue()).getInt() % 4 == 0;
  return lanes(chunk.width)
      .dropout(x, dropout.getProbability().convertToDouble(), bases[0], first,
               aligned);
}
