// A kernel for CPUs: a range of rows, columns in vectors.
#include "passes/emit/kernel/KernelWriter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

static void bindArguments(RegionCode &code, func::FuncOp function) {
  Value buffers = function.getArgument(0), numbers = function.getArgument(1);
  Lanes one = code.lanes(1);
  Type i64 = code.builder.getI64Type();
  int64_t buffer = 0, scalar = 0;
  code.bind(
      [&]() -> Value {
        Value address = one.load(i64, buffers, code.number(buffer++));
        return LLVM::IntToPtrOp::create(code.builder, code.loc,
                                        buffers.getType(), address);
      },
      [&](bool) { return one.load(i64, numbers, code.number(scalar++)); });
}

/// One walk over columns [from, to) in steps of `width`; adds to `sums`.
static void writeColumns(RegionCode &code, KernelRow &row, int64_t walk,
                         Value from, Value to, int64_t width,
                         SmallVectorImpl<Value> &sums,
                         ArrayRef<ReduceOp> reduces) {
  OpBuilder &builder = code.builder;
  Lanes lanes = code.lanes(width);
  SmallVector<Value> start = code.startSums(reduces, width);
  auto loop = scf::ForOp::create(builder, code.loc, from, to,
                                 code.number(width), start);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Chunk chunk{&row, loop.getInductionVar(), width};
    SmallVector<Value> next =
        code.advance(chunk, walk, reduces, loop.getRegionIterArgs());
    if (!reduces.empty())
      scf::YieldOp::create(builder, code.loc, next);
  }
  for (auto [i, result] : llvm::enumerate(loop.getResults())) {
    ReduceOp reduce = reduces[i];
    Value sum = lanes.reduce(reduce.getKind(), result);
    if (i < sums.size())
      sums[i] = code.lanes(1).combine(reduce.getKind(), sums[i], sum);
    else
      sums.push_back(sum);
  }
}

static void writeElements(RegionCode &code, KernelRow &all, Value begin,
                          Value end, int64_t width) {
  Value count = arith::SubIOp::create(code.builder, code.loc, end, begin);
  Value whole = code.mul(code.divide(count, width), code.number(width));
  Value middle = code.add(begin, whole);
  SmallVector<Value> none;
  writeColumns(code, all, 0, begin, middle, width, none, {});
  writeColumns(code, all, 0, middle, end, 1, none, {});
}

static void writeRows(RegionCode &code, const KernelRow &uniform, Value begin,
                      Value end, int64_t width) {
  auto rows =
      scf::ForOp::create(code.builder, code.loc, begin, end, code.number(1));
  OpBuilder::InsertionGuard guard(code.builder);
  code.builder.setInsertionPointToStart(rows.getBody());
  KernelRow row = uniform;
  row.index = rows.getInductionVar();
  int64_t columns = code.space.columns, whole = columns / width * width;
  code.writeRow(row, /*mayStore=*/{}, [&](int64_t walk, auto reduces) {
    SmallVector<Value> sums;
    if (whole > 0)
      writeColumns(code, row, walk, code.number(0), code.number(whole), width,
                   sums, reduces);
    if (whole < columns)
      writeColumns(code, row, walk, code.number(whole), code.number(columns), 1,
                   sums, reduces);
    return sums;
  });
}

void orrery::passes::writeCpuKernel(RegionCode &code, StringRef symbol,
                                    ModuleOp module) {
  OpBuilder &builder = code.builder;
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Type i64 = builder.getI64Type();
  builder.setInsertionPointToEnd(module.getBody());
  auto function = func::FuncOp::create(
      builder, code.loc, symbol,
      builder.getFunctionType({pointer, pointer, i64, i64}, {}));
  builder.setInsertionPointToStart(function.addEntryBlock());
  bindArguments(code, function);
  KernelRow uniform;
  code.computeNumbers(uniform, 0, /*uniform=*/true);
  // Eight counters of four words fill a vector of 32 in one go.
  bool draws = !code.fused.getBody().getOps<DropoutOp>().empty();
  int64_t width = draws ? 32 : 16;
  Value begin = function.getArgument(2), end = function.getArgument(3);
  if (code.space.flat)
    writeElements(code, uniform, begin, end, width);
  else
    writeRows(code, uniform, begin, end, width);
  func::ReturnOp::create(builder, code.loc);
}
