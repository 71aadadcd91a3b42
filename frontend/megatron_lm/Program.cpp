// The table of the original's programs.
#include "frontend/megatron_lm/Program.h"

namespace orrery::frontend::megatron {

static const std::vector<Program> &programs() {
  using std::string;
  static const std::vector<Program> table = {
      {"pretrain_gpt.py",
       true,
       {{"tokenizer_type", string("GPT2BPETokenizer")}},
       {}},
      {"pretrain_bert.py",
       false,
       {{"tokenizer_type", string("BertWordPieceLowerCase")}},
       {}},
      {"pretrain_t5.py",
       false,
       {{"tokenizer_type", string("BertWordPieceLowerCase")}},
       {}},
      {"pretrain_ict.py",
       false,
       {{"tokenizer_type", string("BertWordPieceLowerCase")}},
       {}},
      {"pretrain_vit.py", false, {{"dataloader_type", string("cyclic")}}, {}},
      {"main.py", false, {}, taskOptions()},
      {"merge_mp_partitions.py",
       false,
       {{"use_cpu_initialization", true},
        {"micro_batch_size", int64_t(1)},
        {"no_load_optim", true},
        {"no_load_rng", true},
        {"no_save_optim", true},
        {"no_save_rng", true},
        {"save_interval", int64_t(1)}},
       mergeOptions()},
      {"generate_samples_gpt.py",
       false,
       {{"tokenizer_type", string("GPT2BPETokenizer")}},
       generateOptions()},
  };
  return table;
}

std::vector<const OptionInfo *> Program::options() const {
  std::vector<const OptionInfo *> all = commonOptions();
  for (const OptionInfo &option : extraOptions)
    all.push_back(&option);
  return all;
}

std::optional<Program> findProgram(std::string_view path) {
  std::string_view script = path.substr(path.find_last_of('/') + 1);
  for (const Program &program : programs())
    if (program.script == script)
      return program;
  return std::nullopt;
}

std::string supportedPrograms() {
  std::string list;
  for (const Program &program : programs())
    if (program.supported)
      list += (list.empty() ? "" : ", ") + std::string(program.script);
  return list;
}

} // namespace orrery::frontend::megatron
