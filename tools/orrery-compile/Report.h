// What the stages say against a job, told in the words of its command line.
#ifndef ORRERY_TOOLS_ORRERY_COMPILE_REPORT_H
#define ORRERY_TOOLS_ORRERY_COMPILE_REPORT_H

#include "frontend/job/Job.pb.h"
#include "mlir/IR/Diagnostics.h"
#include "tools/orrery-compile/CommandLine.h"
#include <string>

namespace orrery {

/// While it lives, errors and warnings of a context go to standard error. The
/// first error of a stage begins with a line on what the user asked for; what
/// the stage itself says, of operations and types, follows as notes:
/// ```
/// orrery-compile: error: the job does not fit --device-memory: it needs …
///   note: gradient: 503.00 KiB
/// ```
/// Remarks are for orrery-opt.
class Report {
public:
  Report(mlir::MLIRContext &context, const CommandLine &line,
         const job::JobSpec &job);

  /// Tells what runs from now on: a stage of getStages, "model", or "emit".
  void enter(llvm::StringRef stage);

private:
  void print(mlir::Diagnostic &diagnostic);
  bool printOutOfMemory(llvm::StringRef text) const;
  void printFirstLine() const;
  std::string smallerJob() const;

  const CommandLine &line;
  const job::JobSpec &job;
  std::string stage;
  bool failed = false; // this stage
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace orrery

#endif // ORRERY_TOOLS_ORRERY_COMPILE_REPORT_H
