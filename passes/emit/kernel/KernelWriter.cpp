// Writes one fused region as a function over rows.
#include "passes/emit/kernel/KernelWriter.h"

#include "passes/emit/kernel/Lanes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

SmallVector<KernelScalar> orrery::passes::collectScalars(FusedOp fused) {
  SmallVector<KernelScalar> scalars;
  fused.getBody().walk([&](Operation *op) {
    if (auto pick = dyn_cast<PickOp>(op))
      scalars.push_back({pick.getFirst()});
    if (auto pick = dyn_cast<PickGradOp>(op))
      scalars.push_back({pick.getFirst()});
    if (auto dropout = dyn_cast<DropoutOp>(op)) {
      auto offset = dropout.getOffset().getAsRange<IndexAttr>().begin();
      IndexAttr position = *offset++, sample = *offset++, feature = *offset;
      scalars.push_back(
          {{}, 0, dropout.getStream().str(), int64_t(dropout.getLayer())});
      scalars.push_back({sample, dropout.getExtent()[1]});
      scalars.push_back({position});
      scalars.push_back({feature});
    }
  });
  return scalars;
}

namespace {

/// Values of the region at one row and one run of columns.
using Known = llvm::DenseMap<Value, Value>;

class KernelWriter {
public:
  KernelWriter(FusedOp fused, const KernelSpace &space)
      : fused(fused), space(space), builder(fused.getContext()),
        loc(UnknownLoc::get(fused.getContext())), i64(builder.getI64Type()),
        body(fused.getBody().front()),
        outputs(body.getTerminator()->getOperands()) {}

  LogicalResult write(StringRef symbol, ModuleOp module);
  SmallVector<std::pair<unsigned, unsigned>> findInPlace();

private:
  void loadArguments(func::FuncOp function);
  /// Numbers of walk `walk` that have no columns, into `rowValues`.
  void computeNumbers(int64_t walk, bool uniform);
  void writeRow();
  void writeWalk(int64_t walk);
  void writeColumns(int64_t walk, Value from, Value to, int64_t width,
                    SmallVectorImpl<Value> &sums, ArrayRef<ReduceOp> reduces);

  Value number(int64_t value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getI64IntegerAttr(value));
  }
  Value add(Value a, Value b) {
    return arith::AddIOp::create(builder, loc, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulIOp::create(builder, loc, a, b);
  }
  Value divide(Value a, Value b) {
    return arith::DivUIOp::create(builder, loc, a, b);
  }
  Value remainder(Value a, Value b) {
    return arith::RemUIOp::create(builder, loc, a, b);
  }

  /// Coordinate of the row along dimension `dim`.
  Value rowCoordinate(int64_t dim);
  /// Index of the value's element at the row and `column`.
  Value elementIndex(Value value, Value column);
  Value evaluate(Value value, Value column, int64_t width, int64_t walk,
                 Known &known);
  Value evaluateOp(Operation *op, Value column, int64_t width, int64_t walk,
                   Known &known);
  Value evaluatePick(PickOp pick);
  Value evaluatePickGrad(PickGradOp pick, Value column, int64_t width);
  Value evaluateDropout(DropoutOp dropout, Value x, Value column,
                        int64_t width);
  Value reload(Value value, Value column, int64_t width, int64_t walk);

  FusedOp fused;
  const KernelSpace &space;
  OpBuilder builder;
  Location loc;
  Type i64;
  Block &body;
  OperandRange outputs;
  llvm::DenseMap<Value, Value> inputPointers;
  SmallVector<Value> outputPointers;
  llvm::DenseMap<Operation *, SmallVector<Value>> scalars;
  llvm::DenseMap<Value, int64_t> lastRead; // walk
  Value begin, end, row;
  Known rowValues; // without columns
  bool failed = false;
};

} // namespace

//===----------------------------------------------------------------------===//
// Function, rows, walks
//===----------------------------------------------------------------------===//

void KernelWriter::loadArguments(func::FuncOp function) {
  Value buffers = function.getArgument(0), numbers = function.getArgument(1);
  begin = function.getArgument(2);
  end = function.getArgument(3);
  Lanes one{builder, loc, 1};
  int64_t buffer = 0, scalar = 0;
  auto pointer = [&] { return one.load(i64, buffers, number(buffer++)); };
  auto asPointer = [&](Value address) -> Value {
    return LLVM::IntToPtrOp::create(builder, loc, buffers.getType(), address);
  };
  for (Value input : body.getArguments())
    inputPointers[input] = asPointer(pointer());
  for (unsigned i = 0; i < outputs.size(); ++i)
    outputPointers.push_back(asPointer(pointer()));
  for (Operation &op : body)
    for (int i = isa<DropoutOp>(op)            ? 4
                 : isa<PickOp, PickGradOp>(op) ? 1
                                               : 0;
         i > 0; --i)
      scalars[&op].push_back(one.load(i64, numbers, number(scalar++)));
}

LogicalResult KernelWriter::write(StringRef symbol, ModuleOp module) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  builder.setInsertionPointToEnd(module.getBody());
  auto function = func::FuncOp::create(
      builder, loc, symbol,
      builder.getFunctionType({pointer, pointer, i64, i64}, {}));
  builder.setInsertionPointToStart(function.addEntryBlock());
  loadArguments(function);
  computeNumbers(0, /*uniform=*/true);
  if (space.flat) {
    writeWalk(0);
  } else {
    auto rows = scf::ForOp::create(builder, loc, begin, end, number(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(rows.getBody());
    row = rows.getInductionVar();
    writeRow();
  }
  func::ReturnOp::create(builder, loc);
  return failure(failed);
}

void KernelWriter::writeRow() {
  for (int64_t walk = 0; walk < space.numWalks; ++walk) {
    computeNumbers(walk, /*uniform=*/false);
    writeWalk(walk);
  }
  computeNumbers(space.numWalks, /*uniform=*/false);
  Lanes one{builder, loc, 1};
  for (auto [value, pointer] : llvm::zip(outputs, outputPointers))
    if (!space.hasColumns(value))
      one.store(rowValues.lookup(value), pointer, elementIndex(value, {}));
}

void KernelWriter::computeNumbers(int64_t walk, bool uniform) {
  Lanes one{builder, loc, 1};
  for (Value input : body.getArguments())
    if (walk == 0 && !space.hasColumns(input) &&
        space.isUniform(input) == uniform) {
      Type element = getElementTypeOrSelf(input);
      rowValues[input] =
          one.load(element, inputPointers[input], elementIndex(input, {}));
      lastRead[input] = 0;
    }
  for (Operation &op : body.without_terminator()) {
    Value result = op.getResult(0);
    if (!space.hasColumns(result) && !isa<ReduceOp>(op) &&
        space.walk.lookup(result) == walk && space.isUniform(result) == uniform)
      rowValues[result] = isa<PickOp>(op)
                              ? evaluatePick(cast<PickOp>(op))
                              : evaluateOp(&op, {}, 1, walk, rowValues);
  }
}

void KernelWriter::writeWalk(int64_t walk) {
  SmallVector<ReduceOp> reduces;
  bool aligned16 = true, stores = false;
  for (Operation &op : body.without_terminator()) {
    if (auto reduce = dyn_cast<ReduceOp>(op))
      if (space.walk.lookup(reduce.getOperand()) == walk)
        reduces.push_back(reduce);
    aligned16 &= !isa<DropoutOp>(op);
  }
  for (Value value : outputs)
    stores |= space.hasColumns(value) && space.walk.lookup(value) == walk;
  if (reduces.empty() && !stores)
    return;

  // Eight counters of four words fill a vector of 32 in one go.
  int64_t width = aligned16 ? 16 : 32;
  SmallVector<Value> sums;
  if (space.flat) {
    Value whole = mul(
        divide(arith::SubIOp::create(builder, loc, end, begin), number(width)),
        number(width));
    Value middle = add(begin, whole);
    writeColumns(walk, begin, middle, width, sums, {});
    writeColumns(walk, middle, end, 1, sums, {});
    return;
  }
  int64_t whole = space.columns / width * width;
  if (whole > 0)
    writeColumns(walk, number(0), number(whole), width, sums, reduces);
  if (whole < space.columns)
    writeColumns(walk, number(whole), number(space.columns), 1, sums, reduces);
  for (auto [reduce, sum] : llvm::zip(reduces, sums))
    rowValues[reduce.getResult()] = Lanes{builder, loc, 1}.convert(
        sum, getElementTypeOrSelf(reduce.getResult()));
}

void KernelWriter::writeColumns(int64_t walk, Value from, Value to,
                                int64_t width, SmallVectorImpl<Value> &sums,
                                ArrayRef<ReduceOp> reduces) {
  Lanes lanes{builder, loc, width};
  SmallVector<Value> start = llvm::map_to_vector(reduces, [&](ReduceOp reduce) {
    return lanes.neutral(reduce.getKind(),
                         lanes.wide(getElementTypeOrSelf(reduce.getType())));
  });
  auto loop = scf::ForOp::create(builder, loc, from, to, number(width), start);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value column = loop.getInductionVar();
    Known known;
    SmallVector<Value> next;
    for (auto [i, sum] : llvm::enumerate(loop.getRegionIterArgs())) {
      ReduceOp reduce = reduces[i];
      Value value = evaluate(reduce.getOperand(), column, width, walk, known);
      Value wide = lanes.convert(value, getElementTypeOrSelf(sum));
      next.push_back(lanes.combine(reduce.getKind(), sum, wide));
    }
    // All loads come before all stores: outputs may lie on inputs.
    SmallVector<std::pair<Value, unsigned>> stores;
    for (auto [i, output] : llvm::enumerate(outputs))
      if (space.hasColumns(output) && space.walk.lookup(output) == walk)
        stores.push_back({evaluate(output, column, width, walk, known), i});
    for (auto [value, i] : stores)
      lanes.store(value, outputPointers[i], elementIndex(outputs[i], column));
    if (!reduces.empty())
      scf::YieldOp::create(builder, loc, next);
  }
  for (auto [i, result] : llvm::enumerate(loop.getResults())) {
    ReduceOp reduce = reduces[i];
    Value sum = lanes.reduce(reduce.getKind(), result);
    if (i < sums.size())
      sums[i] = Lanes{builder, loc, 1}.combine(reduce.getKind(), sums[i], sum);
    else
      sums.push_back(sum);
  }
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value KernelWriter::rowCoordinate(int64_t dim) {
  int64_t inner = 1;
  for (int64_t i = dim + 1; i + 1 < int64_t(space.shape.size()); ++i)
    inner *= space.shape[i];
  Value outer = inner == 1 ? row : divide(row, number(inner));
  return dim == 0 ? outer : remainder(outer, number(space.shape[dim]));
}

Value KernelWriter::elementIndex(Value value, Value column) {
  if (space.flat)
    return space.isFull(value) ? column : number(0);
  SpaceDims rowDims(space.dims.find(value)->second);
  if (rowDims.empty())
    return number(0);
  if (space.hasColumns(value))
    rowDims.pop_back();
  Value index;
  if (rowDims.size() + 1 == space.shape.size()) {
    index = row;
  } else {
    index = number(0);
    for (int64_t dim : rowDims)
      index = add(mul(index, number(space.shape[dim])), rowCoordinate(dim));
  }
  if (!space.hasColumns(value))
    return index;
  return add(mul(index, number(space.columns)), column);
}

Value KernelWriter::reload(Value value, Value column, int64_t width,
                           int64_t walk) {
  for (auto [output, pointer] : llvm::zip(outputs, outputPointers))
    if (output == value && space.walk.lookup(value) < walk)
      return Lanes{builder, loc, width}.load(
          getElementTypeOrSelf(value), pointer, elementIndex(value, column));
  return {};
}

Value KernelWriter::evaluate(Value value, Value column, int64_t width,
                             int64_t walk, Known &known) {
  if (Value found = known.lookup(value))
    return found;
  Lanes lanes{builder, loc, width};
  Value result;
  if (!space.hasColumns(value)) {
    result = lanes.splat(rowValues.lookup(value));
  } else if (isa<BlockArgument>(value)) {
    result = lanes.load(getElementTypeOrSelf(value), inputPointers[value],
                        elementIndex(value, column));
    lastRead[value] = std::max(lastRead.lookup(value), walk);
  } else if (Value stored = reload(value, column, width, walk)) {
    result = stored;
  } else {
    result = evaluateOp(value.getDefiningOp(), column, width, walk, known);
  }
  known[value] = result;
  return result;
}

Value KernelWriter::evaluateOp(Operation *op, Value column, int64_t width,
                               int64_t walk, Known &known) {
  if (auto pick = dyn_cast<PickGradOp>(op))
    return evaluatePickGrad(pick, column, width);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(evaluate(operand, column, width, walk, known));
  if (auto dropout = dyn_cast<DropoutOp>(op))
    return evaluateDropout(dropout, operands[0], column, width);
  Value result = Lanes{builder, loc, width}.compute(op, operands);
  if (!result) {
    if (!failed)
      op->emitOpError() << "has no code for elements of type "
                        << getElementTypeOrSelf(op->getResult(0));
    failed = true;
    return Lanes{builder, loc, width}.constant(builder.getF32Type(), 0.0);
  }
  return result;
}

Value KernelWriter::evaluatePick(PickOp pick) {
  Lanes one{builder, loc, 1};
  Type element = getElementTypeOrSelf(pick.getResult());
  Value id = arith::ExtSIOp::create(builder, loc, i64,
                                    rowValues.lookup(pick.getIds()));
  Value column = arith::SubIOp::create(builder, loc, id, scalars[pick].front());
  // Unsigned, so that columns before the first are out of range too.
  Value inside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                       column, number(space.columns));
  auto choice = scf::IfOp::create(builder, loc, TypeRange{one.wide(element)},
                                  inside, /*withElseRegion=*/true);
  builder.setInsertionPointToStart(choice.thenBlock());
  Known known;
  Value picked = evaluate(pick.getOperand(), column, 1,
                          space.walk.lookup(pick.getResult()), known);
  scf::YieldOp::create(builder, loc, one.convert(picked, one.wide(element)));
  builder.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(builder, loc, one.constant(one.wide(element), 0.0));
  builder.setInsertionPointAfter(choice);
  return one.convert(choice.getResult(0), element);
}

Value KernelWriter::evaluatePickGrad(PickGradOp pick, Value column,
                                     int64_t width) {
  Lanes lanes{builder, loc, width};
  Value id = arith::ExtSIOp::create(builder, loc, i64,
                                    rowValues.lookup(pick.getIds()));
  Value target = arith::SubIOp::create(builder, loc, id, scalars[pick].front());
  // target - column is the lane that holds the value, when it is one.
  Value lane = arith::SubIOp::create(builder, loc, target, column);
  Value isTarget = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                         lanes.splat(lane), lanes.iota());
  Type element = getElementTypeOrSelf(pick.getResult());
  Value grad = lanes.convert(lanes.splat(rowValues.lookup(pick.getGrad())),
                             lanes.wide(element));
  Value placed = arith::SelectOp::create(
      builder, loc, isTarget, grad, lanes.constant(lanes.wide(element), 0.0));
  return lanes.convert(placed, element);
}

Value KernelWriter::evaluateDropout(DropoutOp dropout, Value x, Value column,
                                    int64_t width) {
  ArrayRef<int64_t> extent = dropout.getExtent();
  ArrayRef<Value> bases = scalars[dropout]; // key, sample, position, feature
  Value sample = add(rowCoordinate(1), bases[1]);
  Value position = add(rowCoordinate(0), bases[2]);
  Value line = add(mul(sample, number(extent[0])), position);
  Value first = add(mul(line, number(extent[2])), add(bases[3], column));

  auto offset = dropout.getOffset().getAsRange<IndexAttr>();
  IndexAttr feature = *std::next(offset.begin(), 2);
  bool aligned =
      width % 4 == 0 && extent[2] % 4 == 0 && feature.getConstant() % 4 == 0;
  for (NamedAttribute term : feature.getTerms())
    aligned &= cast<IntegerAttr>(term.getValue()).getInt() % 4 == 0;
  return Lanes{builder, loc, width}.dropout(
      x, dropout.getProbability().convertToDouble(), bases[0], first, aligned);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

SmallVector<std::pair<unsigned, unsigned>> KernelWriter::findInPlace() {
  SmallVector<std::pair<unsigned, unsigned>> pairs;
  for (auto [i, input] : llvm::enumerate(body.getArguments()))
    for (auto [o, output] : llvm::enumerate(outputs)) {
      bool written = !space.hasColumns(output) || // after all walks
                     lastRead.lookup(input) <= space.walk.lookup(output);
      if (input.getType() == output.getType() && written &&
          space.dims.find(input)->second == space.dims.find(output)->second)
        pairs.push_back({i, o});
    }
  return pairs;
}

FailureOr<SmallVector<std::pair<unsigned, unsigned>>>
orrery::passes::writeKernel(FusedOp fused, const KernelSpace &space,
                            StringRef symbol, ModuleOp module) {
  KernelWriter writer(fused, space);
  if (failed(writer.write(symbol, module)))
    return failure();
  return writer.findInPlace();
}
