// Reductions over the threads that share a row.
#include "passes/emit/kernel/gpu/GpuReduction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

static constexpr int64_t kWarp = 32;

GpuReduction::GpuReduction(RegionCode &code, const GpuShape &shape,
                           Value thread, StringRef kernel)
    : code(code), builder(code.builder), loc(code.loc),
      warps(llvm::divideCeil(shape.threadsPerRow, kWarp)),
      threadsPerRow(shape.threadsPerRow), groups(shape.rowsAtATime()),
      lane(thread), group(code.number(0)), kernelName(kernel) {
  if (shape.threadsPerRow < shape.threads) {
    lane = code.remainder(thread, shape.threadsPerRow);
    group = code.divide(thread, shape.threadsPerRow);
  }
  if (warps > 1)
    memory = addressOf("_sums");
  if (threadsPerRow > 1)
    code.synchronize = [this] {
      if (warps > 1)
        NVVM::Barrier0Op::create(builder, loc);
      else
        NVVM::SyncWarpOp::create(builder, loc, i32(-1));
    };
}

Value GpuReduction::addressOf(StringRef suffix) {
  auto shared = LLVM::LLVMPointerType::get(
      builder.getContext(), unsigned(NVVM::NVVMMemorySpace::Shared));
  return LLVM::AddressOfOp::create(builder, loc, shared,
                                   (kernelName + suffix).str());
}

Value GpuReduction::i32(int64_t value) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getI32IntegerAttr(value));
}

void GpuReduction::barrier() {
  NVVM::Barrier0Op::create(builder, loc);
  ++barriers;
}

/// `value` of the thread whose number differs in the bit `distance`.
Value GpuReduction::shuffle(Value value, int64_t distance) {
  auto exchange = [&](Value word) -> Value {
    return NVVM::ShflOp::create(builder, loc, word.getType(), i32(-1), word,
                                i32(distance), i32(kWarp - 1),
                                NVVM::ShflKind::bfly, UnitAttr());
  };
  if (value.getType().isF32())
    return exchange(value);
  Type wide = builder.getI64Type(), half = builder.getI32Type();
  Value bits = arith::BitcastOp::create(builder, loc, wide, value);
  Value shift = code.number(32);
  Value low = arith::TruncIOp::create(builder, loc, half, bits);
  Value high = arith::TruncIOp::create(
      builder, loc, half, arith::ShRUIOp::create(builder, loc, bits, shift));
  low = arith::ExtUIOp::create(builder, loc, wide, exchange(low));
  high = arith::ExtUIOp::create(builder, loc, wide, exchange(high));
  bits = arith::OrIOp::create(
      builder, loc, arith::ShLIOp::create(builder, loc, high, shift), low);
  return arith::BitcastOp::create(builder, loc, value.getType(), bits);
}

Value GpuReduction::acrossLanes(Reduction kind, Value value, int64_t threads) {
  for (int64_t distance = threads / 2; distance > 0; distance /= 2)
    value = code.lanes(1).combine(kind, value, shuffle(value, distance));
  return value;
}

SmallVector<Value> GpuReduction::combine(ArrayRef<ReduceOp> reduces,
                                         ArrayRef<Value> sums) {
  // Joined sums first move to the maximum of all threads.
  SmallVector<ReduceOp> maxima, others;
  SmallVector<Value> ownMaxima, ownOthers, results;
  for (auto [i, sum] : llvm::enumerate(sums)) {
    bool isMaximum = i + 1 < sums.size() && code.isJoined(reduces[i + 1]);
    (isMaximum ? maxima : others).push_back(reduces[i]);
    (isMaximum ? ownMaxima : ownOthers).push_back(sum);
  }
  SmallVector<Value> allMaxima = combineAlike(maxima, ownMaxima);
  size_t next = 0;
  for (auto [reduce, sum] : llvm::zip(others, ownOthers))
    if (code.isJoined(reduce)) {
      sum = code.moveSum(sum, ownMaxima[next], allMaxima[next]);
      ++next;
    }
  SmallVector<Value> allOthers = combineAlike(others, ownOthers);
  auto maximum = allMaxima.begin(), other = allOthers.begin();
  for (ReduceOp reduce : reduces)
    results.push_back(llvm::is_contained(maxima, reduce) ? *maximum++
                                                         : *other++);
  return results;
}

/// The same without regard to joined sums.
SmallVector<Value> GpuReduction::combineAlike(ArrayRef<ReduceOp> reduces,
                                              ArrayRef<Value> sums) {
  SmallVector<Value> numbers;
  for (auto [i, sum] : llvm::enumerate(sums)) {
    ReduceOp reduce = reduces[i];
    auto vector = dyn_cast<VectorType>(sum.getType());
    Lanes own = code.lanes(vector ? vector.getNumElements() : 1);
    numbers.push_back(acrossLanes(reduce.getKind(),
                                  own.reduce(reduce.getKind(), sum),
                                  std::min(threadsPerRow, kWarp)));
  }
  if (warps == 1 || numbers.empty())
    return numbers;

  // One line of memory for each number, with a place for each warp of a row:
  // as many lines as rows at a time, and twice that where turns are counted.
  Lanes one = code.lanes(1);
  int64_t copies = groups * (parity ? 2 : 1);
  Value first = groups > 1 ? group : Value();
  if (parity) {
    Value start = code.mul(parity, code.number(groups));
    first = first ? code.add(start, first) : start;
  }
  auto placeOf = [&](Value inLine) {
    return first ? code.add(code.mul(first, code.number(kWarp)), inLine)
                 : inLine;
  };
  Value warp = code.divide(lane, kWarp), inWarp = code.remainder(lane, kWarp);
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        inWarp, code.number(0));
  SmallVector<Value> lines;
  for (Value value : numbers) {
    lines.push_back(LLVM::GEPOp::create(
        builder, loc, memory.getType(), builder.getI8Type(), memory,
        ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(int32_t(memoryBytes))}));
    memoryBytes += copies * kWarp * value.getType().getIntOrFloatBitWidth() / 8;
  }
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(
        scf::IfOp::create(builder, loc, isFirst).thenBlock());
    for (auto [value, line] : llvm::zip(numbers, lines))
      one.store(value, line, placeOf(warp));
  }
  barrier();
  // As many lanes as there are warps, rounded up, hold one sum each, again and
  // again in a warp.
  int64_t places = llvm::PowerOf2Ceil(warps);
  Value place = code.remainder(lane, places);
  Value isWarp = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                       place, code.number(warps));
  place = placeOf(
      arith::SelectOp::create(builder, loc, isWarp, place, code.number(0)));
  for (auto [i, value, line] : llvm::enumerate(numbers, lines)) {
    ReduceOp reduce = reduces[i];
    Type type = value.getType();
    Value other = arith::SelectOp::create(builder, loc, isWarp,
                                          one.load(type, line, place),
                                          one.neutral(reduce.getKind(), type));
    value = acrossLanes(reduce.getKind(), other, places);
  }
  return numbers;
}

void GpuReduction::setTurn(Value turn) { parity = code.remainder(turn, 2); }

void GpuReduction::finishRow() {
  if (barriers == 1 &&
      !parity) // the next row's first use is of the same memory
    barrier();
}

Value GpuReduction::overGroups(Value value) {
  if (groups == 1)
    return value;
  auto vector = dyn_cast<VectorType>(value.getType());
  int64_t width = vector ? vector.getNumElements() : 1;
  Lanes own = code.lanes(width);
  Type element = getElementTypeOrSelf(value);
  int64_t bytes = width * element.getIntOrFloatBitWidth() / 8;
  int64_t alignment = std::min<int64_t>(bytes, 16);
  if (!groupMemory)
    groupMemory = addressOf("_groups");
  groupBytes = std::max(groupBytes, groups * threadsPerRow * bytes);
  // One place after the other for the lanes of each thread of each row.
  auto place = [&](Value row) {
    Value thread = code.add(code.mul(row, code.number(threadsPerRow)), lane);
    return code.mul(thread, code.number(width));
  };
  NVVM::Barrier0Op::create(builder, loc); // all have read what was here
  own.store(value, groupMemory, place(group), alignment);
  NVVM::Barrier0Op::create(builder, loc);
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        group, code.number(0));
  auto choice = scf::IfOp::create(builder, loc, TypeRange{value.getType()},
                                  isFirst, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(builder, loc, value);
  builder.setInsertionPointToStart(choice.thenBlock());
  auto loop = scf::ForOp::create(builder, loc, code.number(1),
                                 code.number(groups), code.number(1), value);
  scf::YieldOp::create(builder, loc, loop.getResults());
  builder.setInsertionPointToStart(loop.getBody());
  Value other =
      own.load(element, groupMemory, place(loop.getInductionVar()), alignment);
  scf::YieldOp::create(
      builder, loc,
      own.combine(Reduction::Sum, loop.getRegionIterArg(0), other));
  return choice.getResult(0);
}

void GpuReduction::finishPart() {
  if (barriers > 0)
    NVVM::Barrier0Op::create(builder, loc);
}

void GpuReduction::declareMemory(ModuleOp module) {
  auto declare = [&](Value address, StringRef suffix, int64_t bytes) {
    if (!address)
      return;
    if (address.use_empty()) {
      address.getDefiningOp()->erase();
      return;
    }
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    LLVM::GlobalOp::create(
        builder, loc, LLVM::LLVMArrayType::get(builder.getI8Type(), bytes),
        /*isConstant=*/false, LLVM::Linkage::Internal,
        (kernelName + suffix).str(), Attribute(),
        /*alignment=*/16, unsigned(NVVM::NVVMMemorySpace::Shared));
  };
  declare(memory, "_sums", memoryBytes);
  declare(groupMemory, "_groups", groupBytes);
}
