// How a kernel's rows and columns are shared out among the threads of a GPU.
#ifndef ORRERY_PASSES_EMIT_KERNEL_GPU_GPUSHAPE_H
#define ORRERY_PASSES_EMIT_KERNEL_GPU_GPUSHAPE_H

#include "passes/emit/kernel/KernelSpace.h"

namespace orrery::passes {

/// Columns are taken in chunks of `width` neighbours, 16 bytes of the widest
/// operand where columns divide so. Neighbouring threads take neighbouring
/// chunks; three ways to go on:
///
///   kind       space                          a thread has
///   Elements   no row is reduced or picked    `chunks` of all rows' chunks at
///              from: rows are cut anywhere    a time
///   Resident   up to 16384 columns            `chunks` of its row in registers
///                                             through all walks
///   Streaming  longer rows                    `chunks` of its row at a time,
///                                             read again in each walk
///
/// In the latter two `threadsPerRow` threads share a row: a power of two within
/// a warp, so that a block has several rows, or the whole block.
///
///   columns  type  kind      width  chunks  threadsPerRow  rows at a time
///   768      bf16  Resident  8      3       32             4
///   3072     bf16  Resident  8      2       192            1
///   50304    bf16  Streaming 8      4       512            1
///
/// With sums over rows, a block takes all rows of a part, several at a time,
/// and adds up their sums behind the last one. A thread has few columns, as
/// each costs a register a sum, and loads rows before it has computed those
/// before them, so that a multiprocessor has 32 KiB in flight; threads are as
/// many as registers suffice for. A layer norm's backward, which has three
/// sums and reads three tensors:
///
///   columns  parts  width  chunks  threadsPerRow  rows at a time  ahead
///   768      264    8      1       96             3               1
///   1600     396    8      1       224            1               1
///   2304     264    8      1       288            1               2
///   4096     264    8      1       512            1               2
struct GpuShape {
  enum class Kind { Elements, Resident, Streaming };
  Kind kind = Kind::Elements;
  int64_t width = 1;
  int64_t chunks = 1;
  int64_t threads = 256; // of a block
  int64_t threadsPerRow = 1;
  bool keepsSums = false;   // over rows
  int64_t ahead = 0;        // rows that are loaded early
  int64_t blocksAtOnce = 1; // that registers must suffice for

  /// Columns of the longest row that can be Resident.
  static constexpr int64_t kMaxResident = 16384;

  /// Sums over rows need Resident rows: a thread keeps the sums of its columns
  /// in registers while it goes from row to row. Emits an error where they are
  /// too long.
  static mlir::FailureOr<GpuShape> choose(dfg::FusedOp fused,
                                          const KernelSpace &space);

  int64_t rowsAtATime() const { return threads / threadsPerRow; }
  /// Of the launch; parts where there are sums over rows.
  int64_t rowsPerBlock() const {
    return kind == Kind::Elements ? threads * chunks * width
           : keepsSums            ? 1
                                  : rowsAtATime();
  }
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_KERNEL_GPU_GPUSHAPE_H
