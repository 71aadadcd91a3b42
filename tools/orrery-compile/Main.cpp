// orrery-compile: a training command line becomes a plan.
#include "frontend/megatron_lm/MegatronLm.h"
#include "frontend/model/Gpt.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/emit/Emit.h"
#include "runtime/plan/PlanCheck.h"
#include "runtime/plan/PlanFile.h"
#include "tools/orrery-compile/CommandLine.h"
#include "tools/orrery-compile/Report.h"
#include "tools/orrery-compile/Stages.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace orrery;

static int fail(const Twine &message) {
  llvm::errs() << "orrery-compile: error: " << message << "\n";
  return 1;
}

/// What the target cannot run, told before anything is compiled.
static std::string checkTarget(const job::JobSpec &job, StringRef target) {
  if (target == "cpu" && job.model().dtype() != job::FLOAT32)
    return "--fp16 and --bf16 need a GPU target; with --target=cpu drop them, "
           "or compile with --target=sm_90";
  return "";
}

static bool isStage(const std::vector<Stage> &stages, StringRef name) {
  return name.empty() || name == "model" ||
         llvm::any_of(stages,
                      [&](const Stage &stage) { return stage.name == name; });
}

static std::string bytesText(uint64_t bytes) {
  bool large = bytes >= 1u << 30;
  return llvm::formatv("{0:f2} {1}", bytes / double(large ? 1 << 30 : 1 << 20),
                       large ? "GiB" : "MiB");
}

static void printSummary(const plan::Plan &plan, StringRef path,
                         size_t planBytes) {
  uint64_t peak = 0;
  for (const plan::RankClass &rankClass : plan.classes())
    for (const plan::Member &member : rankClass.members())
      peak = std::max<uint64_t>(peak, member.arena_bytes());
  llvm::outs() << llvm::formatv(
      "wrote {0}, {1:f2} MiB: {2} ranks, {3} rank classes, {4} kernels; a rank "
      "needs at most {5}\n",
      path, planBytes / double(1 << 20), plan.job().parallel().world_size(),
      plan.classes_size(), plan.kernels_size(), bytesText(peak));
}

/// Largest arena of a rank, in bytes, behind the memory stage.
static int64_t getPeak(ModuleOp module) {
  int64_t peak = 0;
  for (auto rankClass : module.getOps<rank::ClassOp>())
    peak = std::max(peak, rankClass.getPeakBytes());
  return peak;
}

using Program = FailureOr<OwningOpRef<ModuleOp>>; // failure: told to the user

/// The job's program behind the last stage, or behind `stopAfter`.
static Program makeProgram(MLIRContext &context, Report &report,
                           const job::JobSpec &job,
                           const std::vector<Stage> &stages,
                           const std::string &dumpFolder,
                           const std::string &stopAfter) {
  report.enter("model");
  Program module = frontend::buildModel(context, job);
  if (failed(module) ||
      failed(runStages(**module, stages, dumpFolder, stopAfter,
                       [&](StringRef stage) { report.enter(stage); })))
    return failure();
  return module;
}

/// What --activations asks for, where auto asks on GPUs whether it fits; `why`
/// is then for the user.
static FailureOr<Activations>
chooseActivations(MLIRContext &context, Report &report, const CommandLine &line,
                  const job::JobSpec &job, std::string &why) {
  Activations fast = {.keepOperands = true, .gatherAgain = false};
  Activations small = {.keepOperands = false, .gatherAgain = true};
  if (line.activations != "auto")
    return line.activations == "fast" ? fast : small;
  if (line.target == "cpu")
    return Activations(); // messages take longer than passes over memory
  if (line.deviceMemory == 0)
    return fast;
  // Bytes are known at the end only, wherever the user stops.
  Program program =
      makeProgram(context, report, job,
                  getStages(job, line.target, 0, fast, line.collectivePieces),
                  /*dumpFolder=*/"", /*stopAfter=*/"");
  if (failed(program))
    return failure();
  int64_t peak = getPeak(**program);
  if (peak <= line.deviceMemory)
    return fast;
  why = "activations: small, since fast would need " + bytesText(peak) +
        " a rank\n";
  return small;
}

static Program runStages(MLIRContext &context, Report &report,
                         const CommandLine &line, const job::JobSpec &job) {
  std::string why;
  FailureOr<Activations> activations =
      chooseActivations(context, report, line, job, why);
  if (failed(activations))
    return failure();
  Program program = makeProgram(context, report, job,
                                getStages(job, line.target, line.deviceMemory,
                                          *activations, line.collectivePieces),
                                line.dumpFolder, line.stopAfter);
  if (succeeded(program))
    llvm::outs() << why;
  return program;
}

static int compile(const CommandLine &line, const job::JobSpec &job) {
  std::vector<Stage> stages = getStages(job, line.target, 0, {});
  if (!isStage(stages, line.stopAfter)) {
    std::string names = "model";
    for (const Stage &stage : stages)
      names += ", " + stage.name;
    return fail("--stop-after=" + line.stopAfter +
                " is no stage; stages: " + names);
  }
  MLIRContext context;
  context.printOpOnDiagnostic(false); // a rank class is pages long
  Report report(context, line, job);
  context.loadDialect<dfg::DfgDialect, rank::RankDialect, func::FuncDialect>();
  Program module = runStages(context, report, line, job);
  if (failed(module))
    return 1;
  if (!line.stopAfter.empty() && !line.out.empty())
    llvm::outs() << "stopped behind " << line.stopAfter
                 << "; no plan is written\n";
  if (!line.stopAfter.empty() || line.out.empty())
    return 0;
  passes::KernelTarget target;
  target.cpu = line.cpu;
  if (line.target != "cpu")
    target = passes::KernelTarget::forGpu(line.target);
  report.enter("emit");
  FailureOr<plan::Plan> plan =
      passes::emitPlan(**module, job, line.target, target);
  if (failed(plan))
    return 1;
  if (absl::Status status = runtime::checkPlan(*plan); !status.ok())
    return fail("the plan does not pass its own check: " +
                std::string(status.message()));
  if (absl::Status status = runtime::writePlan(*plan, line.out); !status.ok())
    return fail(std::string(status.message()));
  printSummary(*plan, line.out, plan->ByteSizeLong());
  return 0;
}

int main(int argc, char **argv) {
  std::optional<CommandLine> line = readCommandLine(argc, argv);
  if (!line)
    return 1;
  frontend::megatron::ParseRequest request{line->program, line->arguments,
                                           line->worldSize, line->vocabSize};
  frontend::megatron::ParseResult result = frontend::megatron::parse(request);
  if (line->explain)
    llvm::outs() << frontend::megatron::formatExplain(result.explain);
  if (!result.ok()) {
    for (job::Diagnostic &fault : result.errors)
      if (fault.problem == "no such option" && standsInFront(fault.subject))
        fault.nearest = fault.subject + " in front of --";
    llvm::errs() << "orrery-compile: error: the command line of "
                 << line->program << " is not legal:\n"
                 << job::format(result.errors);
    return 1;
  }
  if (line->out.empty() && line->dumpFolder.empty() && line->stopAfter.empty())
    return 0; // --explain alone
  if (line->collectivePieces > 0 && !result.job.parallel().sequence_parallel())
    llvm::errs() << "orrery-compile: warning: --collective-pieces="
                 << line->collectivePieces
                 << " has no effect without --sequence-parallel behind --\n";
  std::string problem = checkTarget(result.job, line->target);
  if (!problem.empty())
    return fail(problem);
  return compile(*line, result.job);
}
