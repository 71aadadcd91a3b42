// The original's programs: which options and defaults each one adds.
#ifndef ORRERY_FRONTEND_MEGATRON_LM_PROGRAM_H
#define ORRERY_FRONTEND_MEGATRON_LM_PROGRAM_H

#include "frontend/megatron_lm/argparse/Value.h"
#include "frontend/megatron_lm/options/Options.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace orrery::frontend::megatron {

struct Program {
  std::string_view script; // "pretrain_gpt.py"
  bool supported = false;
  /// Fill values that are None after parsing.
  std::vector<std::pair<std::string_view, Value>> defaults;
  std::span<const OptionInfo> extraOptions;

  /// Everything the program's parser knows.
  std::vector<const OptionInfo *> options() const;
};

/// The program of a script path, by its last component; nothing for a script
/// that Megatron-LM does not have or that has a parser of its own.
std::optional<Program> findProgram(std::string_view path);

/// "pretrain_gpt.py": the scripts that can be compiled.
std::string supportedPrograms();

} // namespace orrery::frontend::megatron

#endif // ORRERY_FRONTEND_MEGATRON_LM_PROGRAM_H
