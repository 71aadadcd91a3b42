// Reads an argument list with the grammar of Python's argparse.
#ifndef ORRERY_FRONTEND_MEGATRON_LM_ARGPARSE_ARGUMENTPARSER_H
#define ORRERY_FRONTEND_MEGATRON_LM_ARGPARSE_ARGUMENTPARSER_H

#include "frontend/job/Diagnostic.h"
#include "frontend/megatron_lm/argparse/Value.h"
#include "frontend/megatron_lm/options/Options.h"

#include <map>
#include <string>
#include <vector>

namespace orrery::frontend::megatron {

/// Where an option was given; the last time counts.
struct Given {
  int argument = 0;  // 1-based
  std::string flag;  // as spelled
  std::string value; // as spelled, items joined by blanks
  int times = 0;
};

struct ParsedArguments {
  Namespace values;                                // defaults filled in
  std::map<std::string, Given, std::less<>> given; // by destination
  job::Diagnostics errors;
};

/// Parses `argv` (without the program's name) as argparse does with
/// allow_abbrev=False:
///
///   --opt value, --opt=value, --opt a b c (lists), flags without a value;
///   an option given twice: the last one wins; a word like -1 or -.5 is a
///   value, -1e-5 is not (it looks like an option to argparse) and needs
///   --opt=-1e-5; words with a blank are never options.
///
/// Every fault is reported, not the first one only: unknown options with the
/// closest spelling, malformed numbers, values outside the choices, missing
/// values, values on flags, stray words.
ParsedArguments parseArguments(const std::vector<const OptionInfo *> &options,
                               const std::vector<std::string> &argv);

} // namespace orrery::frontend::megatron

#endif // ORRERY_FRONTEND_MEGATRON_LM_ARGPARSE_ARGUMENTPARSER_H
