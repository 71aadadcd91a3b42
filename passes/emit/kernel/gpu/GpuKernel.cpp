// A kernel for GPUs: rows over blocks, columns over threads.
#include "passes/emit/kernel/KernelWriter.h"
#include "passes/emit/kernel/gpu/GpuReduction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

namespace {
class GpuKernel {
public:
  GpuKernel(RegionCode &code, const GpuShape &shape)
      : code(code), shape(shape), builder(code.builder), loc(code.loc),
        i64(builder.getI64Type()) {}

  void write(StringRef symbol, ModuleOp module);

private:
  LLVM::LLVMFuncOp declare(StringRef symbol, ModuleOp module);
  void bindArguments(LLVM::LLVMFuncOp function);
  void writeElements();
  void writeTail();
  SmallVector<Chunk> residentChunks();
  void writeRows(GpuReduction &reduction);
  void writeRow(GpuReduction &reduction, KernelRow &row, Value exists,
                MutableArrayRef<Chunk> chunks);
  void writePart(GpuReduction &reduction, Value part,
                 MutableArrayRef<Chunk> chunks);
  SmallVector<Value> startPartials(ArrayRef<Chunk> chunks);
  void storePartials(GpuReduction &reduction, Value part,
                     ArrayRef<Chunk> chunks);
  void addTerms(MutableArrayRef<Chunk> chunks, Value exists);
  SmallVector<Value> overResident(MutableArrayRef<Chunk> chunks, int64_t walk,
                                  ArrayRef<ReduceOp> reduces);
  SmallVector<Value> overStream(KernelRow &row, int64_t walk,
                                ArrayRef<ReduceOp> reduces);
  /// Chunk number `index` of a row of `count`, `index` at most `largest`.
  Chunk rowChunk(Value index, int64_t largest, int64_t count);

  template <typename Register> Value special() {
    Value read = Register::create(builder, loc, builder.getI32Type());
    return arith::ExtUIOp::create(builder, loc, i64, read);
  }
  Value isLess(Value a, Value b) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, a, b);
  }
  Value choose(Value condition, Value a, Value b) {
    return arith::SelectOp::create(builder, loc, condition, a, b);
  }
  Value both(Value a, Value b) {
    if (!a || !b)
      return a ? a : b;
    return arith::AndIOp::create(builder, loc, a, b);
  }

  RegionCode &code;
  const GpuShape &shape;
  OpBuilder &builder;
  Location loc;
  Type i64;
  Value rows;
  Value thread, block, grid; // of the block, of the grid, blocks in the grid
  Value lane;                // among those that share a row
  KernelRow uniform;
  SmallVector<Value> partial; // sums over rows, of each chunk
};
} // namespace

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

LLVM::LLVMFuncOp GpuKernel::declare(StringRef symbol, ModuleOp module) {
  auto pointer = LLVM::LLVMPointerType::get(
      builder.getContext(), unsigned(NVVM::NVVMMemorySpace::Global));
  SmallVector<Type> types(
      code.fused->getNumOperands() + code.fused->getNumResults(), pointer);
  for (const KernelScalar &scalar : collectScalars(code.fused))
    types.push_back(scalar.isStream() ? Type(pointer) : i64);
  types.push_back(i64);
  builder.setInsertionPointToEnd(module.getBody());
  auto function = LLVM::LLVMFuncOp::create(
      builder, loc, symbol,
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(builder.getContext()),
                                  types));
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    builder.getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(),
                    builder.getDenseI32ArrayAttr({int32_t(shape.threads)}));
  if (shape.blocksAtOnce > 1)
    function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                      builder.getI32IntegerAttr(int32_t(shape.blocksAtOnce)));
  return function;
}

void GpuKernel::bindArguments(LLVM::LLVMFuncOp function) {
  unsigned next = 0;
  code.bind([&]() -> Value { return function.getArgument(next++); },
            [&](bool isKey) -> Value {
              Value argument = function.getArgument(next++);
              return isKey ? code.lanes(1).load(i64, argument, code.number(0))
                           : argument;
            });
  rows = function.getArgument(next);
  thread = special<NVVM::ThreadIdXOp>();
  block = special<NVVM::BlockIdXOp>();
  grid = special<NVVM::GridDimXOp>();
}

void GpuKernel::write(StringRef symbol, ModuleOp module) {
  LLVM::LLVMFuncOp function = declare(symbol, module);
  builder.setInsertionPointToStart(function.addEntryBlock(builder));
  bindArguments(function);
  code.computeNumbers(uniform, 0, /*uniform=*/true);
  if (shape.kind == GpuShape::Kind::Elements) {
    writeElements();
    if (code.space.flat && code.space.rows % shape.width != 0)
      writeTail();
  } else {
    GpuReduction reduction(code, shape, thread, symbol);
    lane = reduction.getLane();
    writeRows(reduction);
    reduction.declareMemory(module);
  }
  LLVM::ReturnOp::create(builder, loc, ValueRange());
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

void GpuKernel::writeElements() {
  const KernelSpace &space = code.space;
  Value count =
      arith::DivUIOp::create(builder, loc, rows, code.number(shape.width));
  Value share = code.number(shape.threads * shape.chunks);
  auto loop =
      scf::ForOp::create(builder, loc, code.add(code.mul(block, share), thread),
                         count, code.mul(grid, share));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value first = loop.getInductionVar();
  SmallVector<KernelRow> own(shape.chunks, uniform);
  SmallVector<Chunk> chunks(shape.chunks);
  for (auto [i, chunk] : llvm::enumerate(chunks)) {
    Value index = first;
    if (i > 0) {
      Value wanted = code.add(first, code.number(i * shape.threads));
      chunk.inside = isLess(wanted, count);
      index = choose(chunk.inside, wanted, first);
    }
    chunk.row = &own[i];
    chunk.width = shape.width;
    chunk.element = code.mul(index, code.number(shape.width));
    chunk.column = chunk.element;
    if (space.flat)
      continue;
    int64_t inRow = space.columns / shape.width;
    Value row = code.divide(index, inRow);
    Value rest = arith::SubIOp::create(builder, loc, index,
                                       code.mul(row, code.number(inRow)));
    own[i].index = row;
    chunk.column = code.mul(rest, code.number(shape.width));
  }
  for (Chunk &chunk : chunks)
    code.prefetch(chunk, 0);
  if (!space.flat)
    for (KernelRow &row : own)
      code.computeNumbers(row, 0, /*uniform=*/false);
  code.advance(chunks, 0, {}, {});
}

/// The last elements, fewer than a chunk, one a thread of the first block.
void GpuKernel::writeTail() {
  int64_t size = code.space.rows % shape.width;
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        block, code.number(0));
  Value mine = both(isFirst, isLess(thread, code.number(size)));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(
      scf::IfOp::create(builder, loc, mine).thenBlock());
  Value start = arith::SubIOp::create(builder, loc, rows, code.number(size));
  Chunk chunk{&uniform, code.add(start, thread), 1};
  code.advance(chunk, 0, {}, {});
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

Chunk GpuKernel::rowChunk(Value index, int64_t largest, int64_t count) {
  Chunk chunk;
  chunk.width = shape.width;
  if (largest >= count) {
    chunk.inside = isLess(index, code.number(count));
    index = choose(chunk.inside, index, code.number(count - 1));
  }
  chunk.column = code.mul(index, code.number(shape.width));
  return chunk;
}

SmallVector<Chunk> GpuKernel::residentChunks() {
  SmallVector<Chunk> chunks;
  int64_t count = code.space.columns / shape.width;
  if (shape.kind == GpuShape::Kind::Resident)
    for (int64_t i = 0; i < shape.chunks; ++i)
      chunks.push_back(
          rowChunk(code.add(lane, code.number(i * shape.threadsPerRow)),
                   (i + 1) * shape.threadsPerRow - 1, count));
  return chunks;
}

void GpuKernel::writeRows(GpuReduction &reduction) {
  int64_t perBlock = shape.rowsPerBlock();
  SmallVector<Chunk> chunks = residentChunks();
  Value share = code.number(perBlock);
  auto loop = scf::ForOp::create(builder, loc, code.mul(block, share), rows,
                                 code.mul(grid, share));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  if (shape.keepsSums)
    return writePart(reduction, loop.getInductionVar(), chunks);
  Value index = code.add(loop.getInductionVar(), reduction.getGroup());
  Value exists;
  if (code.space.rows % perBlock != 0) {
    exists = isLess(index, rows);
    Value last = arith::SubIOp::create(builder, loc, rows, code.number(1));
    index = choose(exists, index, last);
  }
  for (Chunk &chunk : chunks)
    chunk.inside = both(chunk.inside, exists);
  KernelRow row = uniform;
  row.index = index;
  writeRow(reduction, row, exists, chunks);
}

void GpuKernel::writeRow(GpuReduction &reduction, KernelRow &row, Value exists,
                         MutableArrayRef<Chunk> chunks) {
  for (Chunk &chunk : chunks)
    chunk.row = &row;
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        lane, code.number(0));
  code.writeRow(row, both(isFirst, exists), [&](int64_t walk, auto reduces) {
    return reduction.combine(reduces, shape.kind == GpuShape::Kind::Resident
                                          ? overResident(chunks, walk, reduces)
                                          : overStream(row, walk, reduces));
  });
  if (shape.keepsSums)
    addTerms(chunks, exists);
  reduction.finishRow();
}

/// Adds what a row's chunks add to the sums over rows.
void GpuKernel::addTerms(MutableArrayRef<Chunk> chunks, Value exists) {
  auto sum = partial.begin();
  for (PartialSumOp op : code.partialSums())
    for (Chunk &chunk : chunks) {
      *sum = code.lanes(chunk.width)
                 .combine(Reduction::Sum, *sum,
                          code.partialTerm(op, chunk, exists));
      ++sum;
    }
}

/// Rows part, part + parts, …, dealt out to the block's groups of threads; as
/// many turns for every group of every part, so that all threads of a block
/// meet at its barriers. Only in the last turn some groups may have no row.
void GpuKernel::writePart(GpuReduction &reduction, Value part,
                          MutableArrayRef<Chunk> chunks) {
  int64_t parts = code.space.parts, total = code.space.rows;
  int64_t step = parts * shape.rowsAtATime(), turns = total / step;
  Value first =
      code.add(part, code.mul(reduction.getGroup(), code.number(parts)));
  for (Chunk &chunk : chunks)
    code.loadColumns(chunk);
  SmallVector<Value> carried = startPartials(chunks);
  size_t sums = carried.size();
  auto load = [&](Value index) {
    Value last = code.number(total - 1);
    index = arith::MinUIOp::create(builder, loc, index, last);
    return code.loadRow(index, uniform, chunks);
  };
  for (int64_t turn = 0; turn < shape.ahead; ++turn)
    llvm::append_range(carried,
                       load(code.add(first, code.number(turn * step))));
  size_t each = shape.ahead ? (carried.size() - sums) / shape.ahead : 0;
  auto take = [&](Value turn, Value index, Value exists, ValueRange now) {
    reduction.setTurn(turn);
    SmallVector<Chunk> own(chunks);
    for (Chunk &chunk : own)
      chunk.inside = both(chunk.inside, exists);
    KernelRow row = uniform;
    row.index = index;
    SmallVector<Value> loaded(now.slice(sums, each));
    if (!shape.ahead)
      loaded = load(index);
    code.restoreRow(loaded, row, own);
    partial.assign(now.begin(), now.begin() + sums);
    writeRow(reduction, row, exists, own);
  };
  auto loop = scf::ForOp::create(builder, loc, code.number(0),
                                 code.number(turns), code.number(1), carried);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value turn = loop.getInductionVar();
    Value index = code.add(first, code.mul(turn, code.number(step)));
    ValueRange now = loop.getRegionIterArgs();
    SmallVector<Value> next;
    if (shape.ahead) {
      llvm::append_range(next, now.drop_front(sums + each));
      llvm::append_range(
          next, load(code.add(index, code.number(shape.ahead * step))));
    }
    take(turn, index, /*exists=*/{}, now);
    llvm::append_range(partial, next);
    scf::YieldOp::create(builder, loc, partial);
  }
  partial.assign(loop.getResults().begin(), loop.getResults().begin() + sums);
  if (total % step != 0) {
    Value index = code.add(first, code.number(turns * step));
    Value exists = isLess(index, code.number(total));
    index = choose(exists, index, code.number(total - 1));
    take(code.number(turns), index, exists, loop.getResults());
  }
  storePartials(reduction, part, chunks);
}

SmallVector<Value> GpuKernel::startPartials(ArrayRef<Chunk> chunks) {
  SmallVector<Value> zeros;
  for (PartialSumOp sum : code.partialSums())
    for (const Chunk &chunk : chunks)
      zeros.push_back(code.lanes(chunk.width)
                          .constant(getElementTypeOrSelf(sum.getType()), 0.0));
  return zeros;
}

/// Writes the sums of a part: those of the first group of threads, then the
/// others' in order.
void GpuKernel::storePartials(GpuReduction &reduction, Value part,
                              ArrayRef<Chunk> chunks) {
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        reduction.getGroup(), code.number(0));
  auto value = partial.begin();
  for (PartialSumOp sum : code.partialSums())
    for (const Chunk &chunk : chunks) {
      Value total = reduction.overGroups(*value++);
      Chunk own = chunk;
      if (shape.rowsAtATime() > 1)
        own.inside = both(own.inside, isFirst);
      code.storePartial(sum, total, own, part);
    }
  // The next part's first row uses the memory of this one's last.
  reduction.finishPart();
}

SmallVector<Value> GpuKernel::overResident(MutableArrayRef<Chunk> chunks,
                                           int64_t walk,
                                           ArrayRef<ReduceOp> reduces) {
  for (Chunk &chunk : chunks)
    code.prefetch(chunk, walk);
  return code.advance(chunks, walk, reduces, {});
}

SmallVector<Value> GpuKernel::overStream(KernelRow &row, int64_t walk,
                                         ArrayRef<ReduceOp> reduces) {
  int64_t count = code.space.columns / shape.width;
  int64_t share = shape.threads * shape.chunks;
  int64_t whole = count / share * share;
  auto visit = [&](Value first, int64_t start, int64_t chunks,
                   ValueRange sums) {
    SmallVector<Chunk> own;
    for (int64_t i = 0; i < chunks; ++i) {
      int64_t offset = i * shape.threads;
      own.push_back(rowChunk(code.add(first, code.number(offset)),
                             start + offset + shape.threads - 1, count));
      own.back().row = &row;
    }
    for (Chunk &chunk : own)
      code.prefetch(chunk, walk);
    return code.advance(own, walk, reduces, sums);
  };
  SmallVector<Value> sums = code.startSums(reduces, shape.width);
  if (whole > 0) {
    auto loop =
        scf::ForOp::create(builder, loc, code.number(0), code.number(whole),
                           code.number(share), sums);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> next = visit(code.add(loop.getInductionVar(), lane), 0,
                                    shape.chunks, loop.getRegionIterArgs());
    if (!reduces.empty())
      scf::YieldOp::create(builder, loc, next);
    sums.assign(loop.getResults().begin(), loop.getResults().end());
  }
  int64_t rest = llvm::divideCeil(count - whole, shape.threads);
  if (rest > 0)
    sums = visit(code.add(lane, code.number(whole)), whole, rest, sums);
  return sums;
}

void orrery::passes::writeGpuKernel(RegionCode &code, const GpuShape &shape,
                                    StringRef symbol, ModuleOp module) {
  GpuKernel(code, shape).write(symbol, module);
}
