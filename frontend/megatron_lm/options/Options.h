// The table of every option of Megatron-LM's command line and what each of
// them does in Orrery.
#ifndef ORRERY_FRONTEND_MEGATRON_LM_OPTIONS_OPTIONS_H
#define ORRERY_FRONTEND_MEGATRON_LM_OPTIONS_OPTIONS_H

#include <array>
#include <span>
#include <string_view>
#include <vector>

namespace orrery::frontend::megatron {

/// How an option takes its value, in the words of Python's argparse.
enum class Kind {
  Int,     // one value, int()
  Float,   // one value, float()
  Str,     // one value
  Bool,    // one value, bool(): any non-empty text is true, "False" too
  Flag,    // store_true
  NoFlag,  // store_false
  Ints,    // nargs='+', int()
  Strings, // nargs='*'
};

/// What kind of decision an option takes.
enum class OptionClass { Model, Parallel, Train, Data, Runtime, Ignorable };

/// What Orrery does with an option.
enum class Effect {
  Honoured, // read; reaches a field of JobSpec or decides a check
  None,     // accepted, changes nothing here; `text` says why
  Rejected, // an error when given; `text` says why, `nearest` what to do
};

/// One option.
struct OptionInfo {
  std::string_view flag; // "--num-layers"
  std::string_view dest; // key of the namespace, "num_layers"
  Kind kind;
  std::string_view initial; // default as a Python literal: "None", "0.1"
  std::string_view choices; // comma-separated, empty: anything
  OptionClass optionClass;
  Effect effect;
  std::string_view field;        // JobSpec field it decides, or empty
  std::string_view text;         // what it does here, or why it does nothing
  std::string_view nearest = {}; // for rejected ones: what to give instead
};

// The table in parts, one file each, in the order of the original's groups.
std::span<const OptionInfo> modelOptions();
std::span<const OptionInfo> trainingOptions();
std::span<const OptionInfo> parallelOptions();
std::span<const OptionInfo> dataOptions();
std::span<const OptionInfo> loggingOptions();
std::span<const OptionInfo> otherModelOptions();
/// Spellings that came after the version whose behaviour is followed.
std::span<const OptionInfo> newerOptions();
/// Options that only tasks/main.py and the tools add.
std::span<const OptionInfo> taskOptions();
std::span<const OptionInfo> mergeOptions();
std::span<const OptionInfo> generateOptions();

/// The options of every program: all parts but the last three.
std::vector<const OptionInfo *> commonOptions();

std::string_view name(OptionClass optionClass); // "MODEL"
std::string_view name(Effect effect);           // "honoured"

} // namespace orrery::frontend::megatron

#endif // ORRERY_FRONTEND_MEGATRON_LM_OPTIONS_OPTIONS_H
