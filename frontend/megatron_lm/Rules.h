// The original's rules over a parsed command line, in evaluation order.
#ifndef ORRERY_FRONTEND_MEGATRON_LM_RULES_H
#define ORRERY_FRONTEND_MEGATRON_LM_RULES_H

#include "frontend/job/Diagnostic.h"
#include "frontend/megatron_lm/Program.h"
#include "frontend/megatron_lm/argparse/ArgumentParser.h"

#include <map>
#include <string>

namespace orrery::frontend::megatron {

/// A command line on its way to a job description.
struct CommandLine {
  Program program;
  int64_t worldSize = 0;
  Namespace values;
  std::map<std::string, Given, std::less<>> given;       // by destination
  std::map<std::string, std::string, std::less<>> notes; // by destination
  job::Diagnostics errors;

  bool isGiven(std::string_view dest) const { return given.count(dest) > 0; }
  /// The option of a destination, as the user spelled it where given.
  std::string spelling(std::string_view dest) const;
  /// Records a fault of the option with this destination.
  void fail(std::string_view dest, const std::string &problem,
            const std::string &nearest = "");
  /// Adds to the text that explains the option.
  void note(std::string_view dest, const std::string &text);
};

/// Checks megatron/arguments.py's rules and fills in what they derive
/// (data_parallel_size, ffn_hidden_size, kv_channels, params_dtype, …), so
/// that `values` equals the original's namespace after parse_args. Where the
/// original quietly changes a value (parallel sizes beyond the world size)
/// this is an error. Rules that do not depend on the way options are spelled
/// are in frontend/job/Check.h.
void applyRules(CommandLine &line);

} // namespace orrery::frontend::megatron

#endif // ORRERY_FRONTEND_MEGATRON_LM_RULES_H
