// Puts the parts of the option table together and names its classes.
#include "frontend/megatron_lm/options/Options.h"

namespace orrery::frontend::megatron {

std::vector<const OptionInfo *> commonOptions() {
  std::vector<const OptionInfo *> all;
  for (auto part :
       {modelOptions(), trainingOptions(), parallelOptions(), dataOptions(),
        loggingOptions(), otherModelOptions(), newerOptions()})
    for (const OptionInfo &option : part)
      all.push_back(&option);
  return all;
}

std::string_view name(OptionClass optionClass) {
  switch (optionClass) {
  case OptionClass::Model:
    return "MODEL";
  case OptionClass::Parallel:
    return "PARALLEL";
  case OptionClass::Train:
    return "TRAIN";
  case OptionClass::Data:
    return "DATA";
  case OptionClass::Runtime:
    return "RUNTIME";
  case OptionClass::Ignorable:
    return "IGNORABLE";
  }
  return "";
}

std::string_view name(Effect effect) {
  switch (effect) {
  case Effect::Honoured:
    return "honoured";
  case Effect::None:
    return "no effect here";
  case Effect::Rejected:
    return "rejected";
  }
  return "";
}

} // namespace orrery::frontend::megatron
