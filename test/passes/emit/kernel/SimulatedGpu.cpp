// Runs kernels for GPUs on this machine, thread by thread.
#include "test/passes/emit/kernel/SimulatedGpu.h"

#include "passes/emit/kernel/NativeCode.h"
#include "passes/emit/kernel/gpu/PtxCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringSwitch.h"

#include <cmath>
#include <cstring>
#include <ucontext.h>

using namespace mlir;
using namespace orrery::passes;

//===----------------------------------------------------------------------===//
// What kernels ask for
//===----------------------------------------------------------------------===//

namespace {
enum Service {
  kThread,
  kBlock,
  kGrid,
  kShuffle,
  kBarrier,
  kWarpBarrier,
  kExp2,
  kReciprocal,
  kSqrt,
  kInverseSqrt,
  kNumServices
};

constexpr int kWarp = 32;

/// A block of threads, of which one runs at a time.
class ThreadBlock {
public:
  ThreadBlock(int64_t threads, std::function<void()> body, bool backwards)
      : body(std::move(body)), backwards(backwards), fibers(threads),
        everyone(threads), warps((threads + kWarp - 1) / kWarp) {
    for (size_t i = 0; i < warps.size(); ++i)
      warps[i].size = std::min<int64_t>(kWarp, threads - i * kWarp);
    everyone.size = threads;
  }

  void run();
  int32_t thread() const { return current; }
  void barrier() { wait(everyone); }
  void warpBarrier() { wait(warps[current / kWarp]); }
  int32_t exchange(int32_t value, int32_t distance) {
    Gate &warp = warps[current / kWarp];
    warp.values[current % kWarp] = value;
    wait(warp);
    int32_t result = warp.values[(current % kWarp) ^ distance];
    wait(warp);
    return result;
  }

private:
  struct Gate {
    explicit Gate(int64_t size = 0) : size(size) {}
    int64_t size, arrived = 0, openings = 0;
    int32_t values[kWarp] = {};
  };
  struct Fiber {
    ucontext_t context;
    bool done = false;
  };

  static void enter();
  void wait(Gate &gate) {
    int64_t before = gate.openings;
    if (++gate.arrived == gate.size) {
      gate.arrived = 0;
      ++gate.openings;
      ++progress;
      return;
    }
    while (gate.openings == before)
      swapcontext(&fibers[current].context, &scheduler);
  }

  std::function<void()> body;
  bool backwards;
  std::vector<Fiber> fibers;
  Gate everyone;
  std::vector<Gate> warps;
  ucontext_t scheduler;
  int32_t current = 0;
  int64_t progress = 0; // gates opened, threads ended
};

ThreadBlock *running = nullptr;
int32_t blockNumber = 0, blocksInGrid = 0;

void ThreadBlock::enter() {
  running->body();
  Fiber &self = running->fibers[running->current];
  self.done = true;
  ++running->progress;
  swapcontext(&self.context, &running->scheduler);
}

void ThreadBlock::run() {
  running = this;
  constexpr size_t kStackBytes = 64 << 10;
  static std::vector<std::unique_ptr<char[]>> stacks; // touched once
  for (auto [i, fiber] : llvm::enumerate(fibers)) {
    if (i == stacks.size())
      stacks.emplace_back(new char[kStackBytes]);
    getcontext(&fiber.context);
    fiber.context.uc_stack = {stacks[i].get(), 0, kStackBytes};
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, &ThreadBlock::enter, 0);
  }
  auto isDone = [](const Fiber &fiber) { return fiber.done; };
  while (!llvm::all_of(fibers, isDone)) {
    int64_t before = progress;
    for (size_t i = 0; i < fibers.size(); ++i) {
      current = backwards ? fibers.size() - 1 - i : i;
      if (!fibers[current].done)
        swapcontext(&scheduler, &fibers[current].context);
    }
    if (progress == before)
      stop("the threads of a block wait for each other for ever");
  }
}

int32_t answerThread() { return running->thread(); }
int32_t answerBlock() { return blockNumber; }
int32_t answerGrid() { return blocksInGrid; }
int32_t answerShuffle(int32_t value, int32_t distance) {
  return running->exchange(value, distance);
}
void answerBarrier() { running->barrier(); }
void answerWarpBarrier() { running->warpBarrier(); }
float answerExp2(float x) { return std::exp2(x); }
float answerReciprocal(float x) { return 1 / x; }
float answerSqrt(float x) { return std::sqrt(x); }
float answerInverseSqrt(float x) { return 1 / std::sqrt(x); }
} // namespace

//===----------------------------------------------------------------------===//
// Kernels for this machine
//===----------------------------------------------------------------------===//

static constexpr StringLiteral kTable = "services";

/// Replaces `op` by a call of service `service` with `operands`.
static void callService(Operation *op, Service service, ValueRange operands) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  auto pointer = LLVM::LLVMPointerType::get(op->getContext());
  Value table = LLVM::AddressOfOp::create(builder, loc, pointer, kTable);
  Value entry = LLVM::GEPOp::create(
      builder, loc, pointer, pointer, table,
      ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(int32_t(service))});
  SmallVector<Value> all{LLVM::LoadOp::create(builder, loc, pointer, entry)};
  llvm::append_range(all, operands);
  Type result = op->getNumResults() ? op->getResult(0).getType()
                                    : LLVM::LLVMVoidType::get(op->getContext());
  auto type = LLVM::LLVMFunctionType::get(
      result, llvm::to_vector(ValueRange(operands).getTypes()));
  auto call = LLVM::CallOp::create(builder, loc, type, all);
  if (op->getNumResults())
    op->getResult(0).replaceAllUsesWith(call.getResult());
  op->erase();
}

/// Floats travel as bits.
static void replaceShuffle(NVVM::ShflOp shuffle) {
  OpBuilder builder(shuffle);
  Location loc = shuffle.getLoc();
  Type i32 = builder.getI32Type();
  Value bits = LLVM::BitcastOp::create(builder, loc, i32, shuffle.getVal());
  auto onBits = NVVM::ShflOp::create(
      builder, loc, i32, shuffle.getThreadMask(), bits, shuffle.getOffset(),
      shuffle.getMaskAndClamp(), shuffle.getKind(), UnitAttr());
  Value result =
      LLVM::BitcastOp::create(builder, loc, shuffle.getType(), onBits);
  shuffle.replaceAllUsesWith(result);
  shuffle.erase();
  callService(onBits, kShuffle, {onBits.getVal(), onBits.getOffset()});
}

/// What the GPU computes itself. Pairs are rounded high half first.
static void replaceIntrinsic(LLVM::CallIntrinsicOp call) {
  StringRef name = call.getIntrin();
  if (name == "llvm.nvvm.ff2bf16x2.rn" || name == "llvm.nvvm.ff2f16x2.rn") {
    OpBuilder builder(call);
    Location loc = call.getLoc();
    auto pair = cast<VectorType>(call.getResult(0).getType());
    Type i16 = builder.getI16Type(), i32 = builder.getI32Type();
    auto half = [&](Value x) -> Value {
      Value rounded =
          arith::TruncFOp::create(builder, loc, pair.getElementType(), x);
      Value bits = arith::BitcastOp::create(builder, loc, i16, rounded);
      return arith::ExtUIOp::create(builder, loc, i32, bits);
    };
    Value sixteen =
        arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(16));
    Value high =
        arith::ShLIOp::create(builder, loc, half(call.getArgs()[0]), sixteen);
    Value word =
        arith::OrIOp::create(builder, loc, high, half(call.getArgs()[1]));
    call.getResult(0).replaceAllUsesWith(
        LLVM::BitcastOp::create(builder, loc, pair, word));
    call.erase();
    return;
  }
  std::optional<Service> service =
      llvm::StringSwitch<std::optional<Service>>(name)
          .Case("llvm.nvvm.ex2.approx.ftz", kExp2)
          .Case("llvm.nvvm.rcp.approx.ftz.f", kReciprocal)
          .Case("llvm.nvvm.sqrt.approx.f", kSqrt)
          .Case("llvm.nvvm.rsqrt.approx.f", kInverseSqrt)
          .Default(std::nullopt);
  if (!service)
    stop("no simulation of " + name.str());
  callService(call, *service, call.getArgs());
}

static void replaceOp(Operation *op) {
  if (isa<NVVM::ThreadIdXOp>(op))
    callService(op, kThread, {});
  else if (isa<NVVM::BlockIdXOp>(op))
    callService(op, kBlock, {});
  else if (isa<NVVM::GridDimXOp>(op))
    callService(op, kGrid, {});
  else if (isa<NVVM::Barrier0Op>(op))
    callService(op, kBarrier, {});
  else if (isa<NVVM::SyncWarpOp>(op))
    callService(op, kWarpBarrier, {});
  else if (auto shuffle = dyn_cast<NVVM::ShflOp>(op))
    replaceShuffle(shuffle);
  else if (auto call = dyn_cast<LLVM::CallIntrinsicOp>(op))
    replaceIntrinsic(call);
}

/// Adds `symbol`_call, which takes the arguments of kernel `symbol` from an
/// array of 8 bytes each.
static void addCaller(LLVM::LLVMFuncOp kernel) {
  OpBuilder builder(kernel);
  Location loc = kernel.getLoc();
  auto pointer = LLVM::LLVMPointerType::get(kernel.getContext());
  auto caller = LLVM::LLVMFuncOp::create(
      builder, loc, (kernel.getSymName() + "_call").str(),
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(kernel.getContext()),
                                  {pointer}));
  builder.setInsertionPointToStart(caller.addEntryBlock(builder));
  SmallVector<Value> arguments;
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    Value place = LLVM::GEPOp::create(
        builder, loc, pointer, builder.getI64Type(), caller.getArgument(0),
        ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(int32_t(i))});
    arguments.push_back(LLVM::LoadOp::create(builder, loc, type, place));
  }
  LLVM::CallOp::create(builder, loc, kernel, arguments);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
}

static FailureOr<std::string> compileForThisMachine(ModuleOp original) {
  OwningOpRef<ModuleOp> module(original.clone());
  PassManager passes(module->getContext());
  passes.addPass(createGpuMathPass());
  if (failed(passes.run(*module)))
    return failure();
  OpBuilder builder = OpBuilder::atBlockBegin(module->getBody());
  auto table = LLVM::LLVMArrayType::get(
      LLVM::LLVMPointerType::get(module->getContext()), kNumServices);
  auto services = LLVM::GlobalOp::create(
      builder, module->getLoc(), table,
      /*isConstant=*/false, LLVM::Linkage::External, kTable, Attribute());
  mlir::Block &init = services.getInitializerRegion().emplaceBlock();
  builder.setInsertionPointToStart(&init);
  Value zero = LLVM::ZeroOp::create(builder, module->getLoc(), table);
  LLVM::ReturnOp::create(builder, module->getLoc(), zero);

  for (auto kernel : llvm::to_vector(module->getOps<LLVM::LLVMFuncOp>())) {
    kernel->removeAttr(NVVM::NVVMDialect::getKernelFuncAttrName());
    kernel->removeAttr(NVVM::NVVMDialect::getReqntidAttrName());
    addCaller(kernel);
  }
  SmallVector<Operation *> ops;
  module->walk([&](Operation *op) { ops.push_back(op); });
  for (Operation *op : ops)
    replaceOp(op);
  return compileNative(*module, {});
}

namespace {
struct SimulatedRunner : KernelRunner {
  LoadedObject object;
  void (*function)(uint64_t *arguments);
  int64_t threads;
  bool backwards;

  SimulatedRunner(const std::string &bytes, const KernelInfo &info,
                  bool backwards)
      : object(bytes), function(reinterpret_cast<decltype(function)>(
                           object.find(info.symbol + "_call"))),
        threads(info.threads), backwards(backwards) {
    auto **services = static_cast<void **>(object.find(kTable.str()));
    services[kThread] = reinterpret_cast<void *>(answerThread);
    services[kBlock] = reinterpret_cast<void *>(answerBlock);
    services[kGrid] = reinterpret_cast<void *>(answerGrid);
    services[kShuffle] = reinterpret_cast<void *>(answerShuffle);
    services[kBarrier] = reinterpret_cast<void *>(answerBarrier);
    services[kWarpBarrier] = reinterpret_cast<void *>(answerWarpBarrier);
    services[kExp2] = reinterpret_cast<void *>(answerExp2);
    services[kReciprocal] = reinterpret_cast<void *>(answerReciprocal);
    services[kSqrt] = reinterpret_cast<void *>(answerSqrt);
    services[kInverseSqrt] = reinterpret_cast<void *>(answerInverseSqrt);
  }

  void run(const Launch &launch) override;
};
} // namespace

void SimulatedRunner::run(const Launch &launch) {
  constexpr size_t kAlignment = 64;
  // Copies, so that buffers lie as far from a multiple of 16 as asked.
  llvm::MapVector<std::vector<char> *, std::vector<char>> copies;
  llvm::DenseMap<std::vector<char> *, int64_t> misalignments;
  for (auto [buffer, misalignment] :
       llvm::zip_equal(launch.buffers, launch.misalignments)) {
    copies[buffer].resize(buffer->size() + 2 * kAlignment);
    misalignments[buffer] = misalignment;
  }
  auto placeOf = [&](std::vector<char> *buffer) {
    auto address = reinterpret_cast<uintptr_t>(copies[buffer].data());
    return reinterpret_cast<char *>(llvm::alignTo(address, kAlignment)) +
           misalignments[buffer];
  };
  for (auto &[buffer, copy] : copies)
    std::memcpy(placeOf(buffer), buffer->data(), buffer->size());

  std::vector<uint64_t> arguments, keys(launch.scalars.size());
  for (std::vector<char> *buffer : launch.buffers)
    arguments.push_back(reinterpret_cast<uintptr_t>(placeOf(buffer)));
  for (auto [scalar, isKey, key] :
       llvm::zip(launch.scalars, launch.isKey, keys)) {
    key = scalar;
    arguments.push_back(isKey ? reinterpret_cast<uintptr_t>(&key) : scalar);
  }
  arguments.push_back(launch.rows);
  blocksInGrid = launch.blocks;
  for (int64_t i = 0; i < launch.blocks; ++i) {
    blockNumber = backwards ? launch.blocks - 1 - i : i;
    ThreadBlock block(threads, [&] { function(arguments.data()); }, backwards);
    block.run();
  }
  for (auto &[buffer, copy] : copies)
    std::memcpy(buffer->data(), placeOf(buffer), buffer->size());
}

Backend orrery::passes::simulatedGpu(bool backwards) {
  return {KernelDevice::Gpu,
          [backwards](KernelLibrary &library,
                      const KernelInfo &info) -> MadeRunner {
            FailureOr<std::string> bytes =
                compileForThisMachine(library.getModule());
            if (failed(bytes))
              return mlir::failure();
            return {std::make_unique<SimulatedRunner>(*bytes, info, backwards)};
          }};
}
