// From kernels in MLIR to the bytes of a shared object: MLIR → LLVM dialect →
// LLVM IR → object file → linked by lld in this process.
#include "passes/emit/kernel/NativeCode.h"

#include "lld/Common/CommonLinkerContext.h"
#include "lld/Common/Driver.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

LLD_HAS_DRIVER(elf)

using namespace mlir;
using namespace orrery::passes;

//===----------------------------------------------------------------------===//
// MLIR to LLVM IR
//===----------------------------------------------------------------------===//

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

static LogicalResult lowerToLLVM(ModuleOp module) {
  PassManager passes(module.getContext());
  passes.enableVerifier(false);
  passes.addPass(std::make_unique<ExpandMath>());
  passes.addPass(createCSEPass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createConvertFuncToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  return passes.run(module);
}

//===----------------------------------------------------------------------===//
// LLVM IR to an object file
//===----------------------------------------------------------------------===//

static FailureOr<std::unique_ptr<llvm::TargetMachine>>
makeTargetMachine(Operation *where, const KernelTarget &target) {
  static bool ready = [] {
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    return true;
  }();
  llvm::Triple triple(target.triple.empty() ? llvm::sys::getProcessTriple()
                                            : target.triple);
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!ready || !found)
    return where->emitError() << "no code generator for target triple '"
                              << triple.str() << "': " << error;
  std::unique_ptr<llvm::MCSubtargetInfo> cpus(
      found->createMCSubtargetInfo(triple, "", ""));
  if (!cpus->isCPUStringValid(target.cpu))
    return where->emitError()
           << "unknown cpu '" << target.cpu << "' for target triple '"
           << triple.str() << "'; try x86-64-v3 or x86-64-v4";
  std::unique_ptr<llvm::MCSubtargetInfo> chosen(
      found->createMCSubtargetInfo(triple, target.cpu, target.features));
  if (triple.isX86() && !chosen->checkFeatures("+fma"))
    return where->emitError()
           << "cpu '" << target.cpu << "' cannot multiply and add in one "
           << "instruction, which kernels need; try x86-64-v3 or x86-64-v4";
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return std::unique_ptr<llvm::TargetMachine>(found->createTargetMachine(
      triple, target.cpu, target.features, options, llvm::Reloc::PIC_,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

/// Loops are vectorised as written: unrolling or vectorising the remainders
/// costs compile time and gains nothing.
static void optimize(llvm::Module &code, llvm::TargetMachine &machine) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  tuning.LoopUnrolling = false;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(code, modules);
}

static FailureOr<std::string> makeObject(ModuleOp module,
                                         const KernelTarget &target) {
  auto machine = makeTargetMachine(module, target);
  if (failed(machine))
    return failure();
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(module, context, "kernels");
  if (!code)
    return module.emitError("kernels cannot be translated to LLVM IR");
  code->setDataLayout((*machine)->createDataLayout());
  code->setTargetTriple((*machine)->getTargetTriple());
  optimize(*code, **machine);

  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager emission;
  if ((*machine)->addPassesToEmitFile(emission, stream, nullptr,
                                      llvm::CodeGenFileType::ObjectFile))
    return module.emitError("target cannot write object files");
  emission.run(*code);
  return bytes.str().str();
}

//===----------------------------------------------------------------------===//
// Object file to shared object
//===----------------------------------------------------------------------===//

namespace {
/// A file that disappears with the object.
struct TemporaryFile {
  llvm::SmallString<128> path;
  std::error_code error;

  explicit TemporaryFile(StringRef suffix)
      : error(llvm::sys::fs::createTemporaryFile("orrery-kernels", suffix,
                                                 path)) {}
  ~TemporaryFile() {
    if (!error)
      llvm::sys::fs::remove(path);
  }
};
} // namespace

static FailureOr<std::string> link(Operation *where, StringRef object) {
  TemporaryFile input("o"), output("so");
  std::error_code error = input.error ? input.error : output.error;
  if (!error) {
    llvm::raw_fd_ostream file(input.path, error);
    file << object;
    file.close();
    if (file.has_error())
      error = file.error();
  }
  if (error)
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
  if (failed(lowerToLLVM(module)))
    return failure();
  FailureOr<std::string> object = makeObject(module, target);
  if (failed(object))
    return failure();
  return link(module, *object);
}
