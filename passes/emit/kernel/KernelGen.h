// Machine code for fused regions: collects `dfg.fused` ops, writes each
// distinct one as a function over rows, and compiles them into one object.
//
//   KernelLibrary library(context);                      // for CPUs
//   FailureOr<KernelCall> call = library.add(fused);     // per launch
//   FailureOr<std::string> object = library.compile({}); // once, at the end
//
// How a kernel is called: Plan.proto, message Kernel. Buffers are the inputs,
// then the outputs of the fused op, contiguous and row-major. It works on
// `KernelCall::rows` rows; disjoint ranges may run at the same time and every
// split, or every number of blocks, gives the same bits.
#ifndef ORRERY_PASSES_EMIT_KERNEL_KERNELGEN_H
#define ORRERY_PASSES_EMIT_KERNEL_KERNELGEN_H

#include "dialects/dfg/DfgDialect.h"

#include <map>
#include <string>
#include <utility>

namespace orrery::passes {

/// A number that a launch passes to its kernel: either the key of a random
/// stream (`stream` is not empty), or index + microbatch * perMicrobatch.
struct KernelScalar {
  dfg::IndexAttr index;
  int64_t perMicrobatch = 0;
  std::string stream; // may contain "{layer}"
  int64_t layer = -1; // the layer that stands for it

  bool isStream() const { return !stream.empty(); }
};

/// A distinct generated function.
struct KernelInfo {
  std::string symbol;
  unsigned buffers = 0;
  unsigned scalars = 0;
  std::string description;  // the ops inside, for people
  unsigned threads = 0;     // of a block; 0 on CPUs
  int64_t rowsPerBlock = 0; // 0 on CPUs
};

/// How one fused op is launched.
struct KernelCall {
  unsigned kernel = 0; // index into KernelLibrary::getKernels
  llvm::SmallVector<KernelScalar> scalars;
  /// Rows of the iteration space; elements, when every element stands alone,
  /// or on GPUs, when rows may be cut anywhere.
  int64_t rows = 0;
  /// (input, output) pairs that may be the same memory: equal types, and the
  /// kernel reads an element of the input before it writes the output's.
  llvm::SmallVector<std::pair<unsigned, unsigned>> inPlace;
};

/// What code is generated for.
struct KernelTarget {
  std::string triple;            // empty: the compiling machine's
  std::string cpu = "x86-64-v3"; // LLVM's name
  std::string features;          // LLVM's list, "+avx512f,…"

  /// For NVIDIA GPUs of compute capability `name`, such as "sm_90".
  static KernelTarget forGpu(llvm::StringRef name);
  bool isGpu() const { return llvm::StringRef(triple).starts_with("nvptx"); }
};

enum class KernelDevice { Cpu, Gpu };

/// The kernels of one plan. Fused ops that differ in nothing but layer, random
/// stream or position of their shard share a kernel.
class KernelLibrary {
public:
  explicit KernelLibrary(mlir::MLIRContext *context,
                         KernelDevice device = KernelDevice::Cpu);

  /// Finds or generates the kernel of `fused`. Emits an error at `fused` when
  /// an op in it has no code (an element type that does not compute).
  /// `alignments`: bytes that the address of each buffer is a multiple of, as
  /// far as known; empty: 16 or more. CPUs need no more than the element's.
  mlir::FailureOr<KernelCall> add(dfg::FusedOp fused,
                                  llvm::ArrayRef<int64_t> alignments = {});

  /// All kernels so far; symbols are "kernel0", "kernel1", …
  llvm::ArrayRef<KernelInfo> getKernels() const { return kernels; }

  /// Compiles all kernels for a target of the library's device; returns, for
  /// CPUs, the bytes of an ELF shared object without outside references; for
  /// GPUs a cubin, or PTX text where there is no ptxas (empty when there are no
  /// kernels). Reports an unknown triple or cpu as an error.
  mlir::FailureOr<std::string> compile(const KernelTarget &target);

  /// The module that the kernels are generated into (func, scf, vector,
  /// arith, math, llvm), for dumps.
  mlir::ModuleOp getModule() { return *module; }

private:
  mlir::FailureOr<KernelCall> generate(dfg::FusedOp fused,
                                       llvm::ArrayRef<int64_t> alignments);

  KernelDevice device;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  llvm::SmallVector<KernelInfo> kernels;
  std::map<std::string, KernelCall> known; // by the text of the region
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_KERNEL_KERNELGEN_H
