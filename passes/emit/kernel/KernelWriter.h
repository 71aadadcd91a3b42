// Writes one fused region as a function.
#ifndef ORRERY_PASSES_EMIT_KERNEL_KERNELWRITER_H
#define ORRERY_PASSES_EMIT_KERNEL_KERNELWRITER_H

#include "passes/emit/kernel/KernelGen.h"
#include "passes/emit/kernel/RegionCode.h"
#include "passes/emit/kernel/gpu/GpuShape.h"

namespace orrery::passes {

/// The numbers that `fused` takes besides buffers, in the order of its ops:
/// pick and pick_grad take their first column; dropout the key, then its first
/// sample (the microbatch's counted in), position and feature.
llvm::SmallVector<KernelScalar> collectScalars(dfg::FusedOp fused);

/// Writes `func.func @symbol(buffers, scalars, begin, end)` for `code` into
/// `module`:
///
///   for row in [begin, end):               // or elements, when flat
///     for each walk:
///       numbers of the row known by now
///       for column in steps of 16, then of 1:
///         load what the walk reads, compute, store its outputs, accumulate
///
/// Values of earlier walks are computed again, or loaded when they were an
/// output.
void writeCpuKernel(RegionCode &code, llvm::StringRef symbol,
                    mlir::ModuleOp module);

/// Writes a CUDA kernel `llvm.func @symbol(pointer…, scalar…, rows)` of blocks
/// as `shape` says. See GpuShape for who works on what.
void writeGpuKernel(RegionCode &code, const GpuShape &shape,
                    llvm::StringRef symbol, mlir::ModuleOp module);

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_KERNEL_KERNELWRITER_H
