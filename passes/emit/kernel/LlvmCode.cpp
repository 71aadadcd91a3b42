// From kernels in MLIR to optimised LLVM IR for a machine.
#include "passes/emit/kernel/LlvmCode.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;
using namespace orrery::passes;

static LogicalResult lowerToLLVM(ModuleOp module, std::unique_ptr<Pass> math) {
  PassManager passes(module.getContext());
  passes.enableVerifier(false);
  passes.addPass(std::move(math));
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
           << triple.str() << "'; try "
           << (triple.isNVPTX() ? "sm_80 or sm_90" : "x86-64-v3 or x86-64-v4");
  std::unique_ptr<llvm::MCSubtargetInfo> chosen(
      found->createMCSubtargetInfo(triple, target.cpu, target.features));
  if (triple.isX86() && !chosen->checkFeatures("+fma"))
    return where->emitError()
           << "cpu '" << target.cpu << "' cannot multiply and add in one "
           << "instruction, which kernels need; try x86-64-v3 or x86-64-v4";
  llvm::TargetOptions options;
  options.AllowFPOpFusion =
      triple.isNVPTX() ? llvm::FPOpFusion::Fast : llvm::FPOpFusion::Standard;
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

FailureOr<std::string>
orrery::passes::compileModule(ModuleOp module, const KernelTarget &target,
                              std::unique_ptr<Pass> math,
                              llvm::CodeGenFileType fileType) {
  auto machine = makeTargetMachine(module, target);
  if (failed(machine) || failed(lowerToLLVM(module, std::move(math))))
    return failure();
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  registerNVVMDialectTranslation(*module.getContext());
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
  if ((*machine)->addPassesToEmitFile(emission, stream, nullptr, fileType))
    return module.emitError("target cannot write code");
  emission.run(*code);
  return bytes.str().str();
}

//===----------------------------------------------------------------------===//
// Temporary files
//===----------------------------------------------------------------------===//

TemporaryFile::TemporaryFile(StringRef suffix)
    : error(
          llvm::sys::fs::createTemporaryFile("orrery-kernels", suffix, path)) {}

TemporaryFile::~TemporaryFile() {
  if (!path.empty())
    llvm::sys::fs::remove(path);
}

void TemporaryFile::write(StringRef bytes) {
  if (error)
    return;
  llvm::raw_fd_ostream file(path, error);
  file << bytes;
  file.close();
  if (file.has_error())
    error = file.error();
}
