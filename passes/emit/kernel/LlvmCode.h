// From kernels in MLIR to optimised LLVM IR for a machine.
#ifndef ORRERY_PASSES_EMIT_KERNEL_LLVMCODE_H
#define ORRERY_PASSES_EMIT_KERNEL_LLVMCODE_H

#include "passes/emit/kernel/KernelGen.h"

#include "mlir/Pass/Pass.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/CodeGen.h"

#include <system_error>

namespace orrery::passes {

/// Lowers `module` (func, scf, vector, arith, math, llvm, nvvm) to machine code
/// or assembly of `target`; `math` first replaces what has no instruction.
/// Consumes the module's contents. Reports an unknown triple or cpu as an
/// error.
mlir::FailureOr<std::string> compileModule(mlir::ModuleOp module,
                                           const KernelTarget &target,
                                           std::unique_ptr<mlir::Pass> math,
                                           llvm::CodeGenFileType fileType);

/// A file that disappears with the object.
struct TemporaryFile {
  llvm::SmallString<128> path;
  std::error_code error; // of making or writing it

  explicit TemporaryFile(llvm::StringRef suffix);
  ~TemporaryFile();
  void write(llvm::StringRef bytes);
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_KERNEL_LLVMCODE_H
