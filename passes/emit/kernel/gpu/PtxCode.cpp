// From kernels in MLIR to code for NVIDIA GPUs: PTX by LLVM, then a cubin by
// NVIDIA's assembler.
#include "passes/emit/kernel/gpu/PtxCode.h"

#include "passes/emit/kernel/LlvmCode.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

using namespace mlir;
using namespace orrery::passes;

FailureOr<std::string> orrery::passes::compilePtx(ModuleOp module,
                                                  const KernelTarget &target) {
  return compileModule(module, target, createGpuMathPass(),
                       llvm::CodeGenFileType::AssemblyFile);
}

std::string orrery::passes::findPtxas() {
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  SmallVector<std::string> homes;
  if (const char *home = std::getenv("CUDA_HOME"))
    homes.push_back(home);
  homes.push_back("/usr/local/cuda");
  for (StringRef home : homes) {
    llvm::SmallString<128> path(home);
    llvm::sys::path::append(path, "bin", "ptxas");
    if (llvm::sys::fs::can_execute(path))
      return path.str().str();
  }
  return "";
}

FailureOr<std::string> orrery::passes::assemblePtx(Operation *where,
                                                   StringRef ptx,
                                                   const KernelTarget &target,
                                                   StringRef ptxas,
                                                   std::string *report) {
  TemporaryFile input("ptx"), output("cubin"), messages("log");
  input.write(ptx);
  for (const TemporaryFile *file : {&input, &output, &messages})
    if (file->error)
      return where->emitError() << "cannot write temporary file '" << file->path
                                << "': " << file->error.message();
  SmallVector<StringRef> arguments = {ptxas,      "-O3", "-arch",    target.cpu,
                                      input.path, "-o",  output.path};
  if (report)
    arguments.push_back("-v");
  std::string error;
  int status = llvm::sys::ExecuteAndWait(
      ptxas, arguments, /*Env=*/std::nullopt,
      {StringRef(), StringRef(messages.path), StringRef(messages.path)},
      /*SecondsToWait=*/0, /*MemoryLimit=*/0, &error);
  std::string said;
  if (auto text = llvm::MemoryBuffer::getFile(messages.path))
    said = (*text)->getBuffer().str();
  if (status != 0)
    return where->emitError() << "'" << ptxas << " -arch " << target.cpu
                              << "' fails: " << error << said;
  if (report)
    *report = said;
  auto bytes = llvm::MemoryBuffer::getFile(output.path);
  if (!bytes)
    return where->emitError()
           << "cannot read assembled kernels '" << output.path
           << "': " << bytes.getError().message();
  return (*bytes)->getBuffer().str();
}
