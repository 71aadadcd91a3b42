// From kernels in MLIR to the bytes of a shared object, linked by lld in this
// process.
#include "passes/emit/kernel/NativeCode.h"

#include "passes/emit/kernel/LlvmCode.h"

#include "lld/Common/CommonLinkerContext.h"
#include "lld/Common/Driver.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/MemoryBuffer.h"

LLD_HAS_DRIVER(elf)

using namespace mlir;
using namespace orrery::passes;

namespace {
/// Functions without an instruction become polynomials; bf16 becomes integers.
struct ExpandMath : PassWrapper<ExpandMath, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandMath)
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<vector::VectorDialect>();
  }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
      return name == "math.exp" || name == "math.log" || name == "math.tanh" ||
             name == "math.erf";
    });
    arith::populateExpandBFloat16Patterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace

static FailureOr<std::string> link(Operation *where, StringRef object) {
  TemporaryFile input("o"), output("so");
  input.write(object);
  if (std::error_code error = input.error ? input.error : output.error)
    return where->emitError() << "cannot write temporary file '" << input.path
                              << "': " << error.message();

  std::string messages;
  llvm::raw_string_ostream stream(messages);
  const char *arguments[] = {"ld.lld",
                             "-shared",
                             "-z",
                             "defs",
                             "-z",
                             "noexecstack",
                             "--strip-all",
                             "--threads=1",
                             "--build-id=none",
                             input.path.c_str(),
                             "-o",
                             output.path.c_str()};
  bool linked = lld::elf::link(arguments, stream, stream, /*exitEarly=*/false,
                               /*disableOutput=*/false);
  lld::CommonLinkerContext::destroy();
  if (!linked)
    return where->emitError() << "kernels do not link: " << messages;
  auto bytes = llvm::MemoryBuffer::getFile(output.path);
  if (!bytes)
    return where->emitError() << "cannot read linked kernels '" << output.path
                              << "': " << bytes.getError().message();
  return (*bytes)->getBuffer().str();
}

FailureOr<std::string>
orrery::passes::compileNative(ModuleOp module, const KernelTarget &target) {
  FailureOr<std::string> object =
      compileModule(module, target, std::make_unique<ExpandMath>(),
                    llvm::CodeGenFileType::ObjectFile);
  if (failed(object))
    return failure();
  return link(module, *object);
}
