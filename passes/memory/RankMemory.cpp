// rank-memory: offsets of all buffers of a rank class, and the peak.
#include "passes/memory/ArenaLayout.h"
#include "passes/memory/Passes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"

namespace orrery::passes {
#define GEN_PASS_DEF_RANKMEMORY
#include "passes/memory/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery;
using orrery::passes::alignBuffer;

namespace {

/// "1.50 GiB", in a unit that leaves digits to see.
std::string bytesText(int64_t bytes) {
  const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double number = bytes;
  unsigned unit = 0;
  for (; number >= 1024 && unit < 4; ++unit)
    number /= 1024;
  return llvm::formatv("{0:f2} {1}", number, units[unit]).str();
}

/// "f32[64, 128]".
std::string shapeText(MemRefType type) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << type.getElementType() << "[";
  llvm::interleaveComma(type.getShape(), out);
  out << "]";
  return text;
}

struct RankMemory : passes::impl::RankMemoryBase<RankMemory> {
  using RankMemoryBase::RankMemoryBase;

  void runOnOperation() override {
    for (auto rankClass : getOperation().getOps<rank::ClassOp>()) {
      if (failed(checkWork(rankClass)))
        return signalPassFailure();
      layOut(rankClass);
      if (failed(checkLimit(rankClass)))
        signalPassFailure();
    }
  }

  /// What a work buffer holds is gone when its program ends.
  LogicalResult checkWork(rank::ClassOp rankClass) {
    SymbolTable symbols(rankClass);
    llvm::DenseMap<Operation *, rank::ProgramOp> users;
    for (auto program : rankClass.getOps<rank::ProgramOp>())
      for (auto view : program.getOps<rank::ViewOp>()) {
        auto buffer =
            symbols.lookup<rank::BufferOp>(view.getBufferAttr().getAttr());
        if (buffer.getKind() != rank::BufferKind::Work)
          continue;
        auto [user, isNew] = users.try_emplace(buffer, program);
        if (!isNew && user->second != program)
          return buffer.emitOpError("is work of program @")
                 << user->second.getSymName() << " and read by @"
                 << program.getSymName() << "; make it a stash";
      }
    return success();
  }

  void layOut(rank::ClassOp rankClass) {
    int64_t fixed = placeFixed(rankClass);
    work = 0;
    for (auto program : rankClass.getOps<rank::ProgramOp>())
      work = std::max(work, placeWork(rankClass, program, fixed));
    fixed += work;
    int64_t slot = placeSlots(rankClass, fixed);
    Builder builder(&getContext());
    rankClass.setFixedBytesAttr(builder.getI64IntegerAttr(fixed));
    rankClass.setSlotBytesAttr(builder.getI64IntegerAttr(slot));
  }

  /// Buffers that outlive a program and exist a fixed number of times.
  int64_t placeFixed(rank::ClassOp rankClass) {
    int64_t end = 0;
    for (auto buffer : rankClass.getOps<rank::BufferOp>()) {
      if (buffer.getKind() == rank::BufferKind::Work || buffer.getSlots() == 0)
        continue;
      int64_t stride = alignBuffer(buffer.getByteSize());
      place(buffer, end, stride);
      end += stride * buffer.getSlots();
    }
    return end;
  }

  /// Work buffers of one program, packed by lifetime from `base` on.
  int64_t placeWork(rank::ClassOp rankClass, rank::ProgramOp program,
                    int64_t base) {
    llvm::MapVector<Operation *, passes::LifeInterval> lives;
    SymbolTable symbols(rankClass);
    int64_t position = 0;
    for (Operation &op : program.getBody().front()) {
      if (isa<rank::ViewOp>(op))
        continue;
      ++position;
      // Other streams may be behind the first.
      int64_t until = position + (op.hasAttr(rank::kStreamAttr) ? delay : 0);
      for (Value operand : op.getOperands()) {
        auto view = operand.getDefiningOp<rank::ViewOp>();
        auto buffer =
            symbols.lookup<rank::BufferOp>(view.getBufferAttr().getAttr());
        if (buffer.getKind() != rank::BufferKind::Work)
          continue;
        auto [life, isNew] = lives.insert({buffer, {}});
        if (isNew)
          life->second = {buffer.getByteSize(), position, position};
        life->second.last = std::max(life->second.last, until);
      }
    }
    SmallVector<passes::LifeInterval> intervals;
    for (auto &life : lives)
      intervals.push_back(life.second);
    int64_t peak = passes::packIntervals(intervals);
    for (auto [life, interval] : llvm::zip_equal(lives, intervals))
      place(cast<rank::BufferOp>(life.first), base + interval.offset, 0);
    return peak;
  }

  /// Buffers that exist once per microbatch in flight.
  int64_t placeSlots(rank::ClassOp rankClass, int64_t base) {
    int64_t end = 0;
    SmallVector<rank::BufferOp> slotted;
    for (auto buffer : rankClass.getOps<rank::BufferOp>()) {
      if (buffer.getSlots() != 0)
        continue;
      place(buffer, base + end, 0);
      end += alignBuffer(buffer.getByteSize());
      slotted.push_back(buffer);
    }
    for (rank::BufferOp buffer : slotted)
      place(buffer, *buffer.getOffset(), end);
    return end;
  }

  void place(rank::BufferOp buffer, int64_t offset, int64_t stride) {
    Builder builder(&getContext());
    buffer.setOffsetAttr(builder.getI64IntegerAttr(offset));
    buffer.setSlotStrideAttr(builder.getI64IntegerAttr(stride));
  }

  /// "stage 0", "stages 1 to 6".
  static std::string stagesText(rank::ClassOp rankClass) {
    auto [first, last] = std::minmax_element(rankClass.getStages().begin(),
                                             rankClass.getStages().end());
    if (*first == *last)
      return "stage " + std::to_string(*first);
    return "stages " + std::to_string(*first) + " to " + std::to_string(*last);
  }

  LogicalResult checkLimit(rank::ClassOp rankClass) {
    int64_t slots = *llvm::max_element(rankClass.getSlots());
    int64_t peak = rankClass.getPeakBytes();
    if (limit == 0 || peak <= limit)
      return success();
    InFlightDiagnostic error = rankClass.emitOpError("needs ")
                               << bytesText(peak) << " per rank of "
                               << stagesText(rankClass) << ", the device has "
                               << bytesText(limit);
    SmallVector<rank::BufferOp> buffers(rankClass.getOps<rank::BufferOp>());
    auto total = [&](rank::BufferOp buffer) {
      return buffer.getByteSize() *
             int64_t(buffer.getSlots() ? buffer.getSlots() : slots);
    };
    std::map<StringRef, int64_t> kinds = {
        {stringifyBufferKind(rank::BufferKind::Work), work}};
    for (rank::BufferOp buffer : buffers)
      if (buffer.getKind() != rank::BufferKind::Work)
        kinds[stringifyBufferKind(buffer.getKind())] += total(buffer);
    for (auto &[kind, bytes] : kinds)
      error.attachNote() << kind << ": " << bytesText(bytes);
    llvm::stable_sort(buffers, [&](rank::BufferOp a, rank::BufferOp b) {
      return total(a) > total(b);
    });
    for (rank::BufferOp buffer : ArrayRef(buffers).take_front(5))
      error.attachNote(buffer.getLoc())
          << "largest: " << stringifyBufferKind(buffer.getKind()) << " "
          << buffer.getLabel().value_or(buffer.getSymName()) << " "
          << shapeText(buffer.getType()) << ", " << bytesText(total(buffer));
    return error;
  }

  int64_t work = 0; ///< bytes of the class, of the program that needs most
};
} // namespace
