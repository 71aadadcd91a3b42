// Rows, walks and sums of a fused region.
#include "passes/emit/kernel/RegionCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/TypeUtilities.h"

#include <cfloat>

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

RegionCode::RegionCode(FusedOp fused, const KernelSpace &space)
    : builder(fused.getContext()), loc(UnknownLoc::get(fused.getContext())),
      fused(fused), space(space), i64(builder.getI64Type()),
      body(fused.getBody().front()),
      outputs(body.getTerminator()->getOperands()) {}

Value RegionCode::number(int64_t value) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getI64IntegerAttr(value));
}

Value RegionCode::add(Value a, Value b) {
  return arith::AddIOp::create(builder, loc, a, b);
}

Value RegionCode::mul(Value a, Value b) {
  return arith::MulIOp::create(builder, loc, a, b);
}

template <typename Op>
static Value divideBy(RegionCode &code, Value a, int64_t b) {
  OpBuilder &builder = code.builder;
  if (!code.shortDivision)
    return Op::create(builder, code.loc, a, code.number(b));
  Type i32 = builder.getI32Type();
  Value divisor = arith::ConstantOp::create(builder, code.loc,
                                            builder.getI32IntegerAttr(b));
  Value low = arith::TruncIOp::create(builder, code.loc, i32, a);
  Value result = Op::create(builder, code.loc, low, divisor);
  return arith::ExtUIOp::create(builder, code.loc, a.getType(), result);
}

Value RegionCode::divide(Value a, int64_t b) {
  return divideBy<arith::DivUIOp>(*this, a, b);
}

Value RegionCode::remainder(Value a, int64_t b) {
  return divideBy<arith::RemUIOp>(*this, a, b);
}

void RegionCode::bind(llvm::function_ref<Value()> nextPointer,
                      llvm::function_ref<Value(bool isKey)> nextScalar) {
  for (unsigned i = 0; i < body.getNumArguments(); ++i)
    inputPointers.push_back(nextPointer());
  for (unsigned i = 0; i < outputs.size(); ++i)
    outputPointers.push_back(nextPointer());
  for (Operation &op : body) {
    bool draws = isa<DropoutOp>(op);
    int count = draws ? 4 : isa<PickOp, PickGradOp>(op) ? 1 : 0;
    for (int i = 0; i < count; ++i)
      scalars[&op].push_back(nextScalar(draws && i == 0));
  }
}

//===----------------------------------------------------------------------===//
// What the region asks for
//===----------------------------------------------------------------------===//

Type RegionCode::accumulatorType(ReduceOp reduce) {
  return lanes(1).wide(getElementTypeOrSelf(reduce.getType()));
}

bool RegionCode::hasColumnOutputs() const {
  return llvm::any_of(outputs, [&](Value v) { return space.hasColumns(v); });
}

bool RegionCode::hasNumberOutputs() const {
  return !llvm::all_of(outputs, [&](Value v) { return space.hasColumns(v); });
}

SmallVector<ReduceOp> RegionCode::reductionsIn(int64_t walk) {
  SmallVector<ReduceOp> reduces;
  for (auto reduce : body.getOps<ReduceOp>()) {
    if (isJoined(reduce) || space.walk.lookup(reduce.getOperand()) != walk)
      continue;
    reduces.push_back(reduce);
    for (auto [sum, maximum] : space.joinedMaxima)
      if (maximum == reduce)
        reduces.push_back(sum);
  }
  return reduces;
}

bool RegionCode::storesIn(int64_t walk) const {
  return llvm::any_of(outputs, [&](Value value) {
    return isStoredByWalks(value) && space.walk.lookup(value) == walk;
  });
}

SmallVector<std::pair<unsigned, unsigned>> RegionCode::findInPlace() {
  SmallVector<std::pair<unsigned, unsigned>> pairs;
  for (auto [i, input] : llvm::enumerate(body.getArguments()))
    for (auto [o, output] : llvm::enumerate(outputs)) {
      if (output.getDefiningOp<PartialSumOp>())
        continue;
      bool written = !space.hasColumns(output) || // after all walks
                     lastRead.lookup(input) <= space.walk.lookup(output);
      if (input.getType() == output.getType() && written &&
          space.dims.find(input)->second == space.dims.find(output)->second)
        pairs.push_back({i, o});
    }
  return pairs;
}

//===----------------------------------------------------------------------===//
// Rows and walks
//===----------------------------------------------------------------------===//

void RegionCode::computeNumbers(KernelRow &row, int64_t walk, bool uniform) {
  for (BlockArgument input : body.getArguments())
    if (walk == 0 && !space.hasColumns(input) &&
        space.isUniform(input) == uniform && !row.numbers.contains(input)) {
      row.numbers[input] = lanes(1).load(getElementTypeOrSelf(input),
                                         inputPointers[input.getArgNumber()],
                                         numberIndex(input, row));
      lastRead[input] = 0;
    }
  Chunk none{&row, {}, 1};
  for (Operation &op : body.without_terminator()) {
    Value result = op.getResult(0);
    if (space.hasColumns(result) || isa<ReduceOp>(op) ||
        space.walk.lookup(result) != walk || space.isUniform(result) != uniform)
      continue;
    auto pick = dyn_cast<PickOp>(op);
    row.numbers[result] =
        pick ? evaluatePick(pick, row) : evaluateOp(&op, none, walk);
  }
}

void RegionCode::writeRow(KernelRow &row, Value mayStore, Visitor overColumns) {
  for (int64_t walk = 0; walk < space.numWalks; ++walk) {
    computeNumbers(row, walk, /*uniform=*/false);
    SmallVector<ReduceOp> reduces = reductionsIn(walk);
    if (reduces.empty() && !storesIn(walk))
      continue;
    SmallVector<Value> sums = overColumns(walk, reduces);
    for (auto [reduce, sum] : llvm::zip_equal(reduces, sums))
      row.numbers[reduce.getResult()] =
          lanes(1).convert(sum, getElementTypeOrSelf(reduce.getResult()));
  }
  computeNumbers(row, space.numWalks, /*uniform=*/false);
  if (!hasNumberOutputs())
    return;
  bool mayOverwrite = llvm::any_of(body.getArguments(), [&](Value input) {
    return !space.hasColumns(input) &&
           llvm::is_contained(outputs.getTypes(), input.getType());
  });
  if (mayOverwrite && synchronize)
    synchronize(); // everyone has read the numbers
  OpBuilder::InsertionGuard guard(builder);
  if (mayStore)
    builder.setInsertionPointToStart(
        scf::IfOp::create(builder, loc, mayStore).thenBlock());
  storeNumbers(row);
}

void RegionCode::storeNumbers(KernelRow &row) {
  for (auto [value, pointer] : llvm::zip(outputs, outputPointers))
    if (!space.hasColumns(value))
      lanes(1).store(row.numbers.lookup(value), pointer,
                     numberIndex(value, row));
}

SmallVector<Value> RegionCode::startSums(ArrayRef<ReduceOp> reduces,
                                         int64_t width) {
  SmallVector<Value> sums;
  for (ReduceOp reduce : reduces) {
    if (isJoined(reduce)) {
      // A finite maximum: nothing is infinitely far from it.
      sums.back() = lanes(1).constant(builder.getF32Type(), double(-FLT_MAX));
      sums.push_back(lanes(1).constant(builder.getF32Type(), 0.0));
      continue;
    }
    sums.push_back(
        lanes(width).neutral(reduce.getKind(), accumulatorType(reduce)));
  }
  return sums;
}

Value RegionCode::contribution(ReduceOp reduce, Chunk &chunk, int64_t walk) {
  Lanes own = lanes(chunk.width);
  Type type = accumulatorType(reduce);
  Value value = own.convert(evaluate(reduce.getOperand(), chunk, walk), type);
  if (!chunk.inside)
    return value;
  return arith::SelectOp::create(builder, loc, chunk.inside, value,
                                 own.neutral(reduce.getKind(), type));
}

Value RegionCode::moveSum(Value sum, Value from, Value to) {
  Value distance = arith::SubFOp::create(builder, loc, from, to);
  Value factor = math::ExpOp::create(builder, loc, distance);
  return arith::MulFOp::create(builder, loc, sum, factor);
}

void RegionCode::advanceSoftmax(MutableArrayRef<Chunk> chunks, int64_t walk,
                                ReduceOp reduce, Value &maximum, Value &sum) {
  Lanes own = lanes(chunks.front().width);
  SmallVector<Value> values;
  for (Chunk &chunk : chunks)
    values.push_back(contribution(reduce, chunk, walk));
  Value largest;
  for (Value value : values)
    largest = largest ? own.combine(Reduction::Max, largest, value) : value;
  Value next = lanes(1).combine(Reduction::Max, maximum,
                                own.reduce(Reduction::Max, largest));
  Value parts;
  for (Value value : values) {
    Value distance =
        arith::SubFOp::create(builder, loc, value, own.splat(next));
    Value part = math::ExpOp::create(builder, loc, distance);
    parts = parts ? own.combine(Reduction::Sum, parts, part) : part;
  }
  sum = lanes(1).combine(Reduction::Sum, moveSum(sum, maximum, next),
                         own.reduce(Reduction::Sum, parts));
  maximum = next;
}

Value RegionCode::reduceChunks(MutableArrayRef<Chunk> chunks, int64_t walk,
                               ReduceOp reduce) {
  Reduction kind = reduce.getKind();
  Type type = accumulatorType(reduce);
  Value whole, sum;
  auto join = [&](Lanes own, Value a, Value b) {
    return a ? own.combine(kind, a, b) : b;
  };
  for (Chunk &chunk : chunks) {
    Lanes own = lanes(chunk.width);
    Value value = own.convert(evaluate(reduce.getOperand(), chunk, walk), type);
    if (!chunk.inside) {
      whole = join(own, whole, value);
      continue;
    }
    value = arith::SelectOp::create(builder, loc, chunk.inside,
                                    own.reduce(kind, value),
                                    lanes(1).neutral(kind, type));
    sum = join(lanes(1), sum, value);
  }
  if (!whole)
    return sum;
  whole = lanes(chunks.front().width).reduce(kind, whole);
  return join(lanes(1), sum, whole);
}

SmallVector<Value> RegionCode::advance(MutableArrayRef<Chunk> chunks,
                                       int64_t walk, ArrayRef<ReduceOp> reduces,
                                       ValueRange sums) {
  SmallVector<Value> next(sums);
  if (sums.empty())
    for (ReduceOp reduce : reduces)
      next.push_back(reduceChunks(chunks, walk, reduce));
  for (size_t i = 0; i < sums.size(); ++i) {
    if (i + 1 < next.size() && isJoined(reduces[i + 1])) {
      advanceSoftmax(chunks, walk, reduces[i], next[i], next[i + 1]);
      ++i;
      continue;
    }
    for (Chunk &chunk : chunks)
      next[i] = lanes(chunk.width)
                    .combine(ReduceOp(reduces[i]).getKind(), next[i],
                             contribution(reduces[i], chunk, walk));
  }
  // All loads come before all stores: outputs may lie on inputs.
  SmallVector<SmallVector<std::pair<Value, unsigned>>> stores(chunks.size());
  for (auto [chunk, own] : llvm::zip(chunks, stores))
    for (auto [i, output] : llvm::enumerate(outputs))
      if (isStoredByWalks(output) && space.walk.lookup(output) == walk)
        own.push_back({evaluate(output, chunk, walk), i});
  for (auto [chunk, own] : llvm::zip(chunks, stores)) {
    OpBuilder::InsertionGuard guard(builder);
    if (chunk.inside && !own.empty())
      builder.setInsertionPointToStart(
          scf::IfOp::create(builder, loc, chunk.inside).thenBlock());
    for (auto [value, i] : own)
      lanes(chunk.width)
          .store(value, outputPointers[i], elementIndex(outputs[i], chunk),
                 alignmentOf(body.getNumArguments() + i,
                             getElementTypeOrSelf(value), chunk.width));
  }
  return next;
}

void RegionCode::prefetch(Chunk &chunk, int64_t walk) {
  llvm::DenseSet<Value> seen;
  SmallVector<Value> open;
  for (ReduceOp reduce : reductionsIn(walk))
    open.push_back(reduce.getOperand());
  for (Value output : outputs)
    if (space.walk.lookup(output) == walk)
      open.push_back(output);
  while (!open.empty()) {
    Value value = open.pop_back_val();
    if (!space.hasColumns(value) || !seen.insert(value).second ||
        chunk.known.contains(value))
      continue;
    if (auto input = dyn_cast<BlockArgument>(value))
      chunk.known[value] = loadInput(input, chunk, walk);
    else if (!llvm::is_contained(outputs, value) ||
             space.walk.lookup(value) == walk)
      llvm::append_range(open, value.getDefiningOp()->getOperands());
  }
}

//===----------------------------------------------------------------------===//
// Sums over rows
//===----------------------------------------------------------------------===//

/// The value depends on the column alone.
static bool isSameInAllRows(const KernelSpace &space, Value value) {
  return space.hasColumns(value) && space.dims.find(value)->second.size() == 1;
}

void RegionCode::loadColumns(Chunk &chunk) {
  for (BlockArgument input : body.getArguments())
    if (isSameInAllRows(space, input))
      chunk.known[input] = loadInput(input, chunk, 0);
}

SmallVector<Value> RegionCode::loadRow(Value index, const KernelRow &uniform,
                                       ArrayRef<Chunk> chunks) {
  KernelRow row = uniform;
  row.index = index;
  SmallVector<Value> loaded;
  for (BlockArgument input : body.getArguments())
    if (!space.hasColumns(input) && !space.isUniform(input))
      loaded.push_back(lanes(1).load(getElementTypeOrSelf(input),
                                     inputPointers[input.getArgNumber()],
                                     numberIndex(input, row)));
  for (Chunk chunk : chunks) {
    chunk.row = &row;
    for (BlockArgument input : body.getArguments())
      if (space.hasColumns(input) && !isSameInAllRows(space, input))
        loaded.push_back(loadInput(input, chunk, 0));
  }
  return loaded;
}

void RegionCode::restoreRow(ValueRange loaded, KernelRow &row,
                            MutableArrayRef<Chunk> chunks) {
  auto next = loaded.begin();
  for (BlockArgument input : body.getArguments())
    if (!space.hasColumns(input) && !space.isUniform(input))
      row.numbers[input] = *next++;
  for (Chunk &chunk : chunks)
    for (BlockArgument input : body.getArguments())
      if (space.hasColumns(input) && !isSameInAllRows(space, input))
        chunk.known[input] = *next++;
}

SmallVector<PartialSumOp> RegionCode::partialSums() {
  return llvm::to_vector(body.getOps<PartialSumOp>());
}

Value RegionCode::partialTerm(PartialSumOp sum, Chunk &chunk, Value exists) {
  Lanes own = lanes(chunk.width);
  Type element = getElementTypeOrSelf(sum.getType());
  Value operand = sum.getOperand();
  Value value = own.convert(
      evaluate(operand, chunk, space.walk.lookup(operand)), element);
  if (!exists)
    return value;
  return arith::SelectOp::create(builder, loc, exists, value,
                                 own.constant(element, 0.0));
}

void RegionCode::storePartial(PartialSumOp sum, Value value, const Chunk &chunk,
                              Value part) {
  OpBuilder::InsertionGuard guard(builder);
  if (chunk.inside)
    builder.setInsertionPointToStart(
        scf::IfOp::create(builder, loc, chunk.inside).thenBlock());
  Value index = add(mul(part, number(space.columns)), chunk.column);
  for (auto [i, output] : llvm::enumerate(outputs))
    if (output == sum.getResult())
      lanes(chunk.width)
          .store(value, outputPointers[i], index,
                 alignmentOf(body.getNumArguments() + i,
                             getElementTypeOrSelf(sum.getType()), chunk.width));
}
