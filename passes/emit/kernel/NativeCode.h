// From kernels in MLIR to the bytes of a shared object.
#ifndef ORRERY_PASSES_EMIT_KERNEL_NATIVECODE_H
#define ORRERY_PASSES_EMIT_KERNEL_NATIVECODE_H

#include "passes/emit/kernel/KernelGen.h"

namespace orrery::passes {

/// Lowers `module` (func, scf, vector, arith, math, llvm) to machine code of
/// `target` and links it into an ELF shared object that needs no library.
/// Consumes the module's contents.
mlir::FailureOr<std::string> compileNative(mlir::ModuleOp module,
                                           const KernelTarget &target);

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_KERNEL_NATIVECODE_H
