// Diagnostics of stages as errors of a command line.
#include "tools/orrery-compile/Report.h"

#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace orrery;

Report::Report(MLIRContext &context, const CommandLine &line,
               const job::JobSpec &job)
    : line(line), job(job),
      handler(&context, [this](Diagnostic &diagnostic) { print(diagnostic); }) {
}

void Report::enter(StringRef name) {
  stage = name.str();
  failed = false;
}

/// Options that lower what a rank needs, with what they are now.
std::string Report::smallerJob() const {
  const job::Parallel &parallel = job.parallel();
  std::string text;
  llvm::raw_string_ostream out(text);
  // On GPUs, auto comes to small before it fails; on CPUs they differ in what
  // is gathered.
  if (line.activations == "fast" ||
      (line.activations == "auto" && line.target == "cpu" &&
       parallel.sequence_parallel()))
    out << "--activations=small; ";
  out << "behind --: ";
  if (parallel.recompute_layers() == 0)
    out << "--checkpoint-activations, ";
  if (parallel.micro_batch_size() > 1)
    out << "a smaller --micro-batch-size (is " << parallel.micro_batch_size()
        << "), ";
  const bool tensor = parallel.tensor() < job.model().num_attention_heads();
  const bool pipeline = parallel.pipeline() < job.model().num_layers();
  if (tensor)
    out << "a larger --tensor-model-parallel-size (is " << parallel.tensor()
        << ")";
  if (pipeline)
    out << (tensor ? " or " : "a larger ")
        << "--pipeline-model-parallel-size (is " << parallel.pipeline() << ")";
  if (tensor || pipeline)
    out << " and more ranks (are " << line.worldSize << ")";
  else
    out << "a smaller model";
  return text;
}

/// Whether `text`, of rank-memory, is about too little memory; then it is told.
bool Report::printOutOfMemory(StringRef text) const {
  if (stage != "memory" || line.deviceMemory == 0 ||
      !text.consume_front("'rank.class' op needs "))
    return false;
  llvm::errs() << "orrery-compile: error: the job does not fit "
                  "--device-memory: it needs "
               << text << "\n  note: needs less: " << smallerJob() << "\n";
  return true;
}

void Report::printFirstLine() const {
  llvm::errs() << "orrery-compile: error: ";
  if (stage == "emit") {
    llvm::errs() << "the job compiles, but not to code for --target="
                 << line.target;
    if (line.target == "cpu")
      llvm::errs() << " with --cpu=" << line.cpu;
  } else {
    llvm::errs() << "the command line is legal, but stage '" << stage
                 << "' of the compiler has no form for this job; "
                    "--dump-ir=FOLDER writes the program that it was given";
  }
  llvm::errs() << "\n";
}

void Report::print(Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() == DiagnosticSeverity::Remark)
    return;
  if (diagnostic.getSeverity() != DiagnosticSeverity::Error) {
    llvm::errs() << "orrery-compile: warning: " << diagnostic << "\n";
  } else if (!printOutOfMemory(diagnostic.str())) {
    if (!failed)
      printFirstLine();
    llvm::errs() << "  note: " << diagnostic << "\n";
    failed = true;
  }
  for (Diagnostic &note : diagnostic.getNotes())
    llvm::errs() << "  note: " << note << "\n";
}
