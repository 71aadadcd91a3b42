// How a kernel's rows and columns are shared out among the threads of a GPU.
#include "passes/emit/kernel/gpu/GpuShape.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

static constexpr int64_t kWarp = 32;
static constexpr int64_t kAccessBytes = 16;

static int64_t bytesOf(Value value) {
  return getElementTypeOrSelf(value).getIntOrFloatBitWidth() / 8;
}

/// Operands with as many elements as the space: those that take the time.
static SmallVector<Value> largeOperands(FusedOp fused, const KernelSpace &space,
                                        bool outputs) {
  Block &body = fused.getBody().front();
  SmallVector<Value> operands(body.getArguments());
  if (outputs)
    llvm::append_range(operands, body.getTerminator()->getOperands());
  llvm::erase_if(operands, [&](Value value) { return !space.isFull(value); });
  return operands;
}

/// Lanes of 16 bytes of the widest large operand, fewer where columns do not
/// divide so.
static int64_t chooseWidth(FusedOp fused, const KernelSpace &space) {
  int64_t widest = 2;
  for (Value value : largeOperands(fused, space, /*outputs=*/true))
    widest = std::max(widest, bytesOf(value));
  int64_t width = kAccessBytes / widest;
  while (!space.flat && space.columns % width != 0)
    width /= 2;
  return width;
}

/// Chunks that a thread should ask for before it waits: 64 bytes of inputs.
static int64_t chunksInFlight(FusedOp fused, const KernelSpace &space,
                              int64_t width) {
  int64_t bytes = 0;
  for (Value value : largeOperands(fused, space, /*outputs=*/false))
    bytes += width * bytesOf(value);
  return std::clamp<int64_t>(64 / std::max<int64_t>(bytes, 16), 1, 4);
}

/// True when no thread needs to see a whole row.
static bool isCutAnywhere(FusedOp fused, const KernelSpace &space) {
  Block &body = fused.getBody().front();
  return body.getOps<ReduceOp>().empty() && body.getOps<PickOp>().empty() &&
         llvm::all_of(body.getTerminator()->getOperands(),
                      [&](Value value) { return space.hasColumns(value); });
}

/// Threads and chunks for a row of `count` chunks that stays in registers;
/// false when they do not hold it.
static bool fitRow(GpuShape &shape, int64_t count) {
  if (count * shape.width <= 1024) {
    shape.threads = 128;
    shape.threadsPerRow = std::min<int64_t>(kWarp, llvm::PowerOf2Ceil(count));
    shape.chunks = llvm::divideCeil(count, shape.threadsPerRow);
    return true;
  }
  // Idle threads cost most; then 16 values a thread are best: enough loads in
  // flight, and registers for several blocks.
  double best = INFINITY;
  for (int64_t chunks = 1; chunks * shape.width <= 32; ++chunks) {
    int64_t values = chunks * shape.width;
    int64_t threads = llvm::alignTo(llvm::divideCeil(count, chunks), kWarp);
    if (threads > (values > 16 ? 512 : 1024))
      continue;
    double idle = double(threads * chunks) / count - 1;
    double score = idle + 0.05 * std::abs(std::log2(values / 16.0)) +
                   (threads > 512 ? 0.1 : 0.0);
    if (score >= best)
      continue;
    best = score;
    shape.chunks = chunks;
    shape.threads = shape.threadsPerRow = threads;
  }
  return best < INFINITY;
}

namespace {
/// How many threads registers suffice for, when each takes `chunks` of a row
/// and keeps sums.
struct Registers {
  int64_t count = 36, loaded; // without rows in advance; by each of these
  Registers(FusedOp fused, const GpuShape &shape, int64_t loadedBytes)
      : loaded(loadedBytes / 4) {
    Block &body = fused.getBody().front();
    int64_t values = shape.chunks * shape.width;
    for (auto sum : body.getOps<PartialSumOp>())
      count += values * bytesOf(sum) / 4;
    if (!body.getOps<ReduceOp>().empty())
      count += 2 * values; // kept from walk to walk
  }
  /// The compiler does with a tenth less than is counted here. Each quarter of
  /// a multiprocessor has its own registers and runs whole warps.
  bool suffice(int64_t blocks, int64_t threads, int64_t ahead) const {
    constexpr int64_t kOfQuarter = 1 << 14;
    int64_t warps = llvm::divideCeil(blocks * threads, 4 * kWarp);
    int64_t each = llvm::alignDown(kOfQuarter / (warps * kWarp), 8);
    return 10 * each >= 9 * (count + ahead * loaded);
  }
};
} // namespace

/// The same for rows whose sums stay in registers, too.
static bool fitRowWithSums(GpuShape &shape, FusedOp fused,
                           const KernelSpace &space, int64_t count) {
  constexpr int64_t kMultiprocessors = 132; // of an H100 or H200
  constexpr int64_t kThreads = 512, kInFlight = 28 << 10, kMostAhead = 4;
  shape.keepsSums = true;
  shape.chunks =
      count <= kThreads
          ? 1
          : std::max<int64_t>(2, llvm::divideCeil(count, 2 * kThreads));
  int64_t row = llvm::divideCeil(count, shape.chunks);
  row = row <= kWarp ? llvm::PowerOf2Ceil(row) : llvm::alignTo(row, kWarp);
  if (space.columns > GpuShape::kMaxResident)
    return false;
  int64_t loaded = 0;
  for (Value value : largeOperands(fused, space, /*outputs=*/false))
    loaded += shape.chunks * shape.width * bytesOf(value);
  Registers registers(fused, shape, loaded);

  int64_t blocks = llvm::divideCeil(space.parts, kMultiprocessors);
  while (blocks > 1 && !registers.suffice(blocks, row, 1))
    --blocks;
  // No more rows at a time than a part has, but whole warps. To tell them
  // apart takes registers.
  int64_t rows = std::min<int64_t>((row < kWarp ? 128 : kThreads) / row,
                                   llvm::divideCeil(space.rows, space.parts));
  rows = std::max<int64_t>({rows, kWarp / row, 1});
  if (rows > 1)
    registers.count += 8;
  while (rows > 1 && rows * row > kWarp &&
         !registers.suffice(blocks, rows * row, 1))
    --rows;
  shape.threadsPerRow = row;
  shape.threads = row * rows;
  shape.blocksAtOnce = blocks;
  int64_t inFlight = std::max<int64_t>(blocks * shape.threads * loaded, 1);
  shape.ahead =
      std::min<int64_t>(llvm::divideCeil(kInFlight, inFlight), kMostAhead);
  while (shape.ahead > 0 &&
         !registers.suffice(blocks, shape.threads, shape.ahead))
    --shape.ahead;
  return true;
}

FailureOr<GpuShape> GpuShape::choose(FusedOp fused, const KernelSpace &space) {
  GpuShape shape;
  shape.width = chooseWidth(fused, space);
  shape.chunks = chunksInFlight(fused, space, shape.width);
  int64_t count = space.columns / shape.width;
  // In long rows the row's numbers are better computed once.
  bool isElements = isCutAnywhere(fused, space);
  bool keepsSums = space.parts > 0;
  if (space.flat || (isElements && !keepsSums && count < 1024))
    return shape;
  shape.kind = Kind::Resident;
  if (keepsSums) {
    if (fitRowWithSums(shape, fused, space, count))
      return shape;
    return fused.emitOpError()
           << "sums over rows of " << space.columns
           << " columns, of which threads hold at most " << kMaxResident;
  }
  if (!isElements && fitRow(shape, count))
    return shape;
  shape.kind = Kind::Streaming;
  shape.threads = shape.threadsPerRow = count < 4096 ? 256 : 512;
  return shape;
}
