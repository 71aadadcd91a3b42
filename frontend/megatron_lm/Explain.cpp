// Builds and prints the table behind --explain.
#include "frontend/megatron_lm/Explain.h"

#include <algorithm>

namespace orrery::frontend::megatron {

std::vector<ExplainRow> explainOptions(const CommandLine &line) {
  std::vector<ExplainRow> rows;
  for (const OptionInfo *option : line.program.options()) {
    ExplainRow row;
    row.option = option->flag;
    auto given = line.given.find(option->dest);
    bool isGiven =
        given != line.given.end() && given->second.flag == option->flag;
    row.origin = isGiven ? "given" : "default";
    row.value = toText(line.values.get(option->dest));
    row.optionClass = name(option->optionClass);
    row.effect = name(option->effect);
    row.reason = option->text;
    if (!option->nearest.empty())
      row.reason += "; instead: " + std::string(option->nearest);
    if (isGiven && given->second.times > 1)
      row.reason += "; given " + std::to_string(given->second.times) +
                    " times, the last one counts";
    if (auto note = line.notes.find(option->dest); note != line.notes.end())
      row.reason += "; " + note->second;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<ExplainRow> explainDerived(const job::JobSpec &job,
                                       const Vocabulary &vocabulary) {
  std::vector<ExplainRow> rows;
  auto add = [&](const char *what, const std::string &value,
                 OptionClass optionClass, const std::string &reason) {
    rows.push_back({what, "derived", value, std::string(name(optionClass)),
                    "honoured", reason});
  };
  using std::to_string;
  const job::Parallel &parallel = job.parallel();
  add("replicas", to_string(parallel.data()), OptionClass::Parallel,
      "d, size of mesh axis dp: world size " +
          to_string(parallel.world_size()) + " / (stages x tensor ranks)");
  int64_t unit = parallel.micro_batch_size() * parallel.data();
  if (unit > 0)
    add("microbatches", to_string(parallel.global_batch_size() / unit),
        OptionClass::Parallel, "per step, at the full batch size");
  add("vocabulary", to_string(vocabulary.size), OptionClass::Model,
      vocabulary.assumed ? "from the compiler's --vocab-size"
                         : "entries of --vocab-file");
  add("padded vocabulary", to_string(job.model().padded_vocab_size()),
      OptionClass::Model, "V, rows of the embedding table");
  add("end-of-document token", to_string(vocabulary.endOfDocument),
      OptionClass::Data,
      vocabulary.assumed ? "assumed to be the last token, as in GPT-2"
                         : "id of <|endoftext|>");
  const job::Train &train = job.train();
  add("steps", to_string(train.train_iters()), OptionClass::Train,
      "length of the run");
  add("decay samples", toText(Value(train.lr_decay_samples())),
      OptionClass::Train, "end of the learning rate's decay");
  add("warm-up samples", toText(Value(train.lr_warmup_samples())),
      OptionClass::Train, "end of the learning rate's warm-up");
  return rows;
}

std::string formatExplain(const std::vector<ExplainRow> &rows) {
  const ExplainRow heading = {"option", "origin", "value",
                              "class",  "effect", "what it does here"};
  constexpr size_t kWidestValue = 32;
  using Column = std::string ExplainRow::*;
  const Column columns[] = {&ExplainRow::option, &ExplainRow::origin,
                            &ExplainRow::value, &ExplainRow::optionClass,
                            &ExplainRow::effect};
  size_t widths[std::size(columns)] = {};
  auto widen = [&](const ExplainRow &row) {
    for (size_t i = 0; i < std::size(columns); ++i) {
      size_t width = (row.*columns[i]).size();
      if (columns[i] == &ExplainRow::value)
        width = std::min(width, kWidestValue);
      widths[i] = std::max(widths[i], width);
    }
  };
  widen(heading);
  for (const ExplainRow &row : rows)
    widen(row);
  std::string table;
  auto print = [&](const ExplainRow &row) {
    for (size_t i = 0; i < std::size(columns); ++i) {
      std::string cell = row.*columns[i];
      cell.resize(std::max(cell.size(), widths[i]), ' ');
      table += cell + "  ";
    }
    table += row.reason + "\n";
  };
  print(heading);
  for (const ExplainRow &row : rows)
    print(row);
  return table;
}

} // namespace orrery::frontend::megatron
