// Compiles the fused op of a small program and runs it on tensors of doubles.
#ifndef ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELRUN_H
#define ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELRUN_H

#include "passes/emit/kernel/KernelGen.h"
#include "test/interpreter/Evaluate.h"
#include "test/interpreter/ParseModule.h"

namespace orrery::passes {

/// A shared object in memory, for as long as this lives.
class LoadedObject {
public:
  explicit LoadedObject(const std::string &bytes);
  ~LoadedObject();
  using Function = void (*)(void *const *, const int64_t *, int64_t, int64_t);
  /// Null when there is none of this name.
  Function find(const std::string &symbol) const;

private:
  void *handle = nullptr;
};

/// The compiled kernel of one fused op, beside the interpreter.
class FusedKernel {
public:
  FusedKernel(dfg::FusedOp fused, interpreter::RankContext context);

  dfg::FusedOp getFused() { return fused; }
  const KernelCall &getCall() const { return call; }

  /// Random operands in [low, high]; ids reach two past both ends of a row.
  interpreter::Tensors makeInputs(unsigned seed, double low = -2,
                                  double high = 2);
  /// The results by the interpreter.
  interpreter::Tensors expected(const interpreter::Tensors &inputs);
  /// The results by the kernel, called for the rows between neighbours in
  /// `bounds` (all rows when empty). Each in-place pair shares memory when
  /// `inPlace`, the first pair of an output or input counting.
  interpreter::Tensors run(const interpreter::Tensors &inputs,
                           llvm::ArrayRef<int64_t> bounds = {},
                           bool inPlace = false);

private:
  interpreter::RankContext context;
  dfg::FusedOp fused;
  KernelCall call;
  std::unique_ptr<LoadedObject> object;
  LoadedObject::Function function = nullptr;
};

/// The one fused op that the fuse stage makes of the ops `body`, which may use
/// the arguments of `signature`.
class FusedProgram {
public:
  FusedProgram(llvm::StringRef signature, llvm::StringRef body,
               interpreter::RankContext context = {});
  FusedKernel *operator->() { return kernel.get(); }

private:
  interpreter::ParsedModule module;
  std::unique_ptr<FusedKernel> kernel;
};

} // namespace orrery::passes

#endif // ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELRUN_H
