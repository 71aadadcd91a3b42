// Parsing the command line.
#include "tools/orrery-run/Arguments.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include <limits>

namespace orrery {
namespace {

// An option with a value, a text or a whole number of at least 1, or a switch.
struct Option {
  const char *name;
  const char *value;
  const char *meaning;
  std::string runtime::RunOptions::*text = nullptr;
  bool runtime::RunOptions::*flag = nullptr;
};

using Run = runtime::RunOptions;
const Option kOptions[] = {
    {"--data", "PREFIX",
     "token files PREFIX.bin and PREFIX.idx instead of the "
     "job's",
     &Run::data},
    {"--steps", "K", "stop when K steps of the training are done, and save"},
    {"--load", "PATH",
     "start from weights (a .safetensors file) or a "
     "checkpoint folder",
     &Run::load},
    {"--save", "DIR", "folder for checkpoints", &Run::save},
    {"--metrics", "FILE.jsonl", "write a JSON line for every step",
     &Run::metrics},
    {"--trace", "FILE.json", "write when every instruction ran (Perfetto)",
     &Run::trace},
    {"--threads", "T", "threads of a rank; default: the processors it has"},
    {"--benchmark", "",
     "measure speed: no validation, no checkpoints, a JSON line at the end",
     nullptr, &Run::benchmark},
    {"--profile", "", "print where the time of the last step goes", nullptr,
     &Run::profile},
    {"--allow-tf32", "", "let GPUs multiply F32 matrices in TF32", nullptr,
     &Run::allowTf32},
    {"--nondeterministic", "",
     "on GPUs: attention's gradient is faster, and another in its last bits "
     "in every run",
     nullptr, &Run::nondeterministic},
    {"--no-product-search", "",
     "on GPUs: of products without a choice in PLAN.gemm, measure only "
     "what cuBLASLt proposes; the first run of a plan starts sooner",
     nullptr, &Run::noProductSearch},
    {"--no-peer-memory", "", "between GPUs: all messages go through NCCL",
     nullptr, &Run::noPeerMemory},
};

absl::Status setNumber(const Option &option, const std::string &value,
                       runtime::RunOptions &out) {
  int64_t number = 0;
  const bool steps = std::string(option.name) == "--steps";
  const int64_t limit = steps ? std::numeric_limits<int64_t>::max() : 1024;
  if (!absl::SimpleAtoi(value, &number) || number < 1 || number > limit)
    return absl::InvalidArgumentError(
        absl::StrCat(option.name, " ", value, ": expected a whole number from ",
                     "1 to ", limit));
  if (steps)
    out.steps = number;
  else
    out.threads = static_cast<int>(number);
  return absl::OkStatus();
}

const Option *findOption(const std::string &name) {
  for (const Option &option : kOptions)
    if (name == option.name)
      return &option;
  return nullptr;
}

absl::Status parseOne(int argc, char **argv, int &i, ParsedArguments &parsed) {
  std::string argument = argv[i];
  if (argument == "--help" || argument == "-h") {
    parsed.help = true;
    return absl::OkStatus();
  }
  if (!absl::StartsWith(argument, "-")) {
    if (!parsed.options.plan.empty())
      return absl::InvalidArgumentError(
          absl::StrCat("'", argument, "': one plan is enough, '",
                       parsed.options.plan, "' was given"));
    parsed.options.plan = argument;
    return absl::OkStatus();
  }
  const size_t equals = argument.find('=');
  const std::string name = argument.substr(0, equals);
  const Option *option = findOption(name);
  if (!option)
    return absl::InvalidArgumentError(
        absl::StrCat("unknown option '", name, "'; see --help"));
  if (option->flag) {
    if (equals != std::string::npos)
      return absl::InvalidArgumentError(
          absl::StrCat("'", argument, "': ", name, " takes no value"));
    parsed.options.*(option->flag) = true;
    return absl::OkStatus();
  }
  std::string value;
  if (equals != std::string::npos)
    value = argument.substr(equals + 1);
  else if (i + 1 < argc)
    value = argv[++i];
  if (value.empty())
    return absl::InvalidArgumentError(
        absl::StrCat(name, " needs a value: ", name, " ", option->value));
  if (!option->text)
    return setNumber(*option, value, parsed.options);
  parsed.options.*(option->text) = value;
  return absl::OkStatus();
}

} // namespace

ParsedArguments parseArguments(int argc, char **argv) {
  ParsedArguments parsed;
  parsed.options.threads = 0;
  for (int i = 1; i < argc && parsed.status.ok(); ++i)
    parsed.status = parseOne(argc, argv, i, parsed);
  if (parsed.status.ok() && parsed.options.plan.empty() && !parsed.help)
    parsed.status = absl::InvalidArgumentError(
        "no plan; usage: mpirun -n N orrery-run PLAN [options], see --help");
  return parsed;
}

std::string usage() {
  std::string text = "usage: mpirun -n N orrery-run PLAN [options]\n\n"
                     "Runs a plan that orrery-compile wrote; N is the number "
                     "of ranks it was compiled for.\n\n";
  for (const Option &option : kOptions) {
    std::string name = absl::StrCat("  ", option.name, " ", option.value);
    name.resize(std::max<size_t>(name.size() + 1, 26), ' ');
    absl::StrAppend(&text, name, option.meaning, "\n");
  }
  return text;
}

} // namespace orrery
