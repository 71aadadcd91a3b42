// From kernels in MLIR to code for NVIDIA GPUs.
#ifndef ORRERY_PASSES_EMIT_KERNEL_GPU_PTXCODE_H
#define ORRERY_PASSES_EMIT_KERNEL_GPU_PTXCODE_H

#include "passes/emit/kernel/KernelGen.h"

#include "mlir/Pass/Pass.h"

namespace orrery::passes {

/// Lowers `module` (func, scf, vector, arith, math, llvm, nvvm) to PTX text for
/// `target`. Consumes the module's contents.
mlir::FailureOr<std::string> compilePtx(mlir::ModuleOp module,
                                        const KernelTarget &target);

/// Path of NVIDIA's assembler: in PATH, in $CUDA_HOME/bin, or in
/// /usr/local/cuda/bin; empty where there is none.
std::string findPtxas();

/// The cubin of `ptx` for `target`, by the assembler at `ptxas`. `report`, if
/// given, gets what it says about registers and spills.
mlir::FailureOr<std::string> assemblePtx(mlir::Operation *where,
                                         llvm::StringRef ptx,
                                         const KernelTarget &target,
                                         llvm::StringRef ptxas,
                                         std::string *report = nullptr);

/// Replaces functions of f32 by the GPU's own approximations where these are
/// good to about 1e-7, others by polynomials; f32 is rounded to 16 bits in
/// pairs.
std::unique_ptr<mlir::Pass> createGpuMathPass();

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_KERNEL_GPU_PTXCODE_H
