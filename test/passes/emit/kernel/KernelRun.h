// Compiles the fused op of a small program and runs it on tensors of doubles.
#ifndef ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELRUN_H
#define ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELRUN_H

#include "passes/emit/kernel/KernelGen.h"
#include "test/interpreter/Evaluate.h"
#include "test/interpreter/ParseModule.h"

#include <functional>

namespace orrery::passes {

/// A shared object in memory, for as long as this lives.
class LoadedObject {
public:
  explicit LoadedObject(const std::string &bytes);
  ~LoadedObject();
  /// Null when there is none of this name.
  void *find(const std::string &symbol) const;

private:
  void *handle = nullptr;
};

/// What a launch hands to a kernel.
struct Launch {
  llvm::SmallVector<std::vector<char> *> buffers; // one twice: in place
  llvm::SmallVector<uint64_t> scalars;            // keys of streams as they are
  llvm::SmallVector<bool> isKey;
  int64_t rows = 0;
  /// Bytes that each buffer starts behind a multiple of 16.
  llvm::SmallVector<int64_t> misalignments;
  /// CPUs: the calls are for the rows between neighbours; empty: one for all.
  llvm::SmallVector<int64_t> bounds;
  /// GPUs: of the grid; 0: as many as share the rows in one go.
  int64_t blocks = 0;
};

/// Runs one kernel over buffers in host memory.
class KernelRunner {
public:
  virtual ~KernelRunner() = default;
  virtual void run(const Launch &launch) = 0;
};

/// Null where kernels are only compiled.
using MadeRunner = mlir::FailureOr<std::unique_ptr<KernelRunner>>;

/// Where kernels run.
struct Backend {
  KernelDevice device = KernelDevice::Cpu;
  std::function<MadeRunner(KernelLibrary &, const KernelInfo &)> makeRunner;
};

/// This machine.
Backend cpuBackend();

[[noreturn]] void stop(const std::string &why);

/// The compiled kernel of one fused op, beside the interpreter.
class FusedKernel {
public:
  /// Buffers will lie `misalignment` bytes, or one element where that is
  /// larger, behind multiples of 16.
  FusedKernel(dfg::FusedOp fused, interpreter::RankContext context,
              const Backend &backend, int64_t misalignment);

  dfg::FusedOp getFused() { return fused; }
  const KernelCall &getCall() const { return call; }
  const KernelInfo &getInfo() const { return info; }

  /// Random operands in [low, high]; ids reach two past both ends of a row.
  interpreter::Tensors makeInputs(unsigned seed, double low = -2,
                                  double high = 2);
  /// The results by the interpreter.
  interpreter::Tensors expected(const interpreter::Tensors &inputs);
  /// The results by the kernel. Each in-place pair shares memory when
  /// `inPlace`, the first pair of an output or input counting. `bounds` and
  /// `blocks`: see Launch.
  interpreter::Tensors run(const interpreter::Tensors &inputs,
                           llvm::ArrayRef<int64_t> bounds = {},
                           bool inPlace = false, int64_t blocks = 0);

private:
  interpreter::RankContext context;
  dfg::FusedOp fused;
  int64_t misalignment;
  KernelCall call;
  KernelInfo info;
  std::unique_ptr<KernelRunner> runner;
};

/// The one fused op that the fuse stage makes of the ops `body`, which may use
/// the arguments of `signature`.
class FusedProgram {
public:
  FusedProgram(llvm::StringRef signature, llvm::StringRef body,
               interpreter::RankContext context = {},
               const Backend &backend = cpuBackend(), int64_t misalignment = 0);
  FusedKernel *operator->() { return kernel.get(); }

private:
  interpreter::ParsedModule module;
  std::unique_ptr<FusedKernel> kernel;
};

} // namespace orrery::passes

#endif // ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELRUN_H
