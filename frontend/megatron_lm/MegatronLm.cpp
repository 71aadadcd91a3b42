// The way of a command line through the front end.
#include "frontend/megatron_lm/MegatronLm.h"

#include "frontend/job/Check.h"
#include "frontend/megatron_lm/Explain.h"
#include "frontend/megatron_lm/ToJob.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace orrery::frontend::megatron {

/// Puts the user's option in the place of a JobSpec field: the one that was
/// given among those that decide the field, else the first of them.
static void nameOption(const CommandLine &line, job::Diagnostic &fault) {
  const OptionInfo *chosen = nullptr;
  for (const OptionInfo *option : line.program.options()) {
    if (option->field != fault.subject)
      continue;
    if (!chosen || (!line.isGiven(chosen->dest) && line.isGiven(option->dest)))
      chosen = option;
  }
  if (!chosen)
    return;
  fault.subject = line.spelling(chosen->dest);
  auto given = line.given.find(chosen->dest);
  if (given == line.given.end())
    return;
  fault.argument = given->second.argument;
  // Where the field's value is not the option's own, both are told.
  if (!given->second.value.empty() && given->second.value != fault.value) {
    if (!fault.value.empty())
      fault.problem = fault.value + " " + fault.problem;
    fault.value = given->second.value;
  }
}

/// Everything behind the rules: vocabulary, job description, its checks.
static void finish(CommandLine &line, const ParseRequest &request,
                   ParseResult &result) {
  std::optional<Vocabulary> vocabulary =
      readVocabulary(line, request.vocabSize);
  if (!vocabulary)
    return;
  fillJob(line, *vocabulary, result.job);
  if (!line.errors.empty())
    return;
  for (job::Diagnostic &fault : job::check(result.job)) {
    nameOption(line, fault);
    line.errors.push_back(std::move(fault));
  }
  result.explain = explainDerived(result.job, *vocabulary);
}

/// What users' scripts start ranks of a training program with.
static bool isLauncher(std::string_view program) {
  constexpr std::string_view kLaunchers[] = {"torchrun", "deepspeed", "mpirun",
                                             "mpiexec",  "srun",      "python",
                                             "python3"};
  return std::find(std::begin(kLaunchers), std::end(kLaunchers), program) !=
         std::end(kLaunchers);
}

ParseResult parse(const ParseRequest &request) {
  ParseResult result;
  result.job.set_source("megatron-lm");
  result.job.set_program(request.program);
  for (const std::string &word : request.argv)
    result.job.add_argv(word);
  std::optional<Program> program = findProgram(request.program);
  if (!program) {
    const char *problem =
        "is not a program of Megatron-LM that takes its options";
    if (isLauncher(request.program))
      problem = "starts programs, which mpirun does for a plan: leave it and "
                "its options out and begin with the program";
    else if (request.program.find('=') != std::string::npos)
      problem = "sets a variable for a launcher: leave both out and begin with "
                "the program";
    result.errors.push_back(
        {0, request.program, "", problem, supportedPrograms()});
    return result;
  }
  ParsedArguments parsed = parseArguments(program->options(), request.argv);
  CommandLine line{*program,
                   request.worldSize,
                   std::move(parsed.values),
                   std::move(parsed.given),
                   {},
                   std::move(parsed.errors)};
  if (line.errors.empty())
    applyRules(line);
  if (!program->supported)
    line.errors.push_back(
        {0, request.program, "", "is not supported yet", supportedPrograms()});
  if (line.errors.empty())
    finish(line, request, result);
  std::vector<ExplainRow> rows = explainOptions(line);
  result.explain.insert(result.explain.begin(), rows.begin(), rows.end());
  result.derived = std::move(line.values);
  result.errors = std::move(line.errors);
  return result;
}

} // namespace orrery::frontend::megatron
