// argparse's grammar: which words are options, how many values each takes.
#include "frontend/megatron_lm/argparse/ArgumentParser.h"

#include "frontend/megatron_lm/argparse/Spelling.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace orrery::frontend::megatron {

/// Does argparse take the word for a negative number: -5, -5.0, -.5?
static bool isNegativeNumber(std::string_view word) {
  word.remove_prefix(1);
  size_t dot = word.find('.');
  std::string_view whole = word.substr(0, dot);
  std::string_view fraction =
      dot == std::string_view::npos ? "0" : word.substr(dot + 1);
  auto digits = [](std::string_view text) {
    return text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return digits(whole) && digits(fraction) && !fraction.empty() &&
         (dot != std::string_view::npos || !whole.empty());
}

static std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    size_t comma = text.find(',');
    items.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size()
                                                       : comma + 1);
  }
  return items;
}

/// The value of a default literal of the table.
static Value initialValue(const OptionInfo &option) {
  if (option.initial == "None")
    return {};
  switch (option.kind) {
  case Kind::Int:
    return *parseInt(option.initial);
  case Kind::Float:
    return *parseFloat(option.initial);
  case Kind::Flag:
  case Kind::NoFlag:
  case Kind::Bool:
    return option.initial == "True";
  case Kind::Str:
    return std::string(option.initial);
  case Kind::Ints:
    return std::vector<int64_t>();
  case Kind::Strings:
    return std::vector<std::string>();
  }
  return {};
}

namespace {

/// One pass over the words of a command line.
class Reader {
public:
  Reader(const std::vector<const OptionInfo *> &options,
         const std::vector<std::string> &argv)
      : options(options), argv(argv) {
    for (const OptionInfo *option : options)
      result.values.set(option->dest, initialValue(*option));
  }

  ParsedArguments run() {
    while (position < argv.size())
      readWord();
    return std::move(result);
  }

private:
  const OptionInfo *find(std::string_view flag) const;
  bool isOption(std::string_view word) const;
  void readWord();
  void readOption(const OptionInfo &option, const std::string &flag,
                  std::optional<std::string> attached);
  void reportUnknown(const std::string &word);
  std::optional<Value> convert(const OptionInfo &option,
                               const std::vector<std::string> &words,
                               const std::string &flag, int place);
  std::optional<int64_t> toInt(const std::string &word, const std::string &flag,
                               int place);
  void fail(int place, const std::string &subject, const std::string &value,
            const std::string &problem, const std::string &nearest = "") {
    result.errors.push_back({place, subject, value, problem, nearest});
  }

  const std::vector<const OptionInfo *> &options;
  const std::vector<std::string> &argv;
  size_t position = 0;
  bool onlyValues = false; // after "--"
  ParsedArguments result;
};

} // namespace

const OptionInfo *Reader::find(std::string_view flag) const {
  for (const OptionInfo *option : options)
    if (option->flag == flag)
      return option;
  return nullptr;
}

bool Reader::isOption(std::string_view word) const {
  if (onlyValues || word.size() < 2 || word[0] != '-' || word == "--")
    return false;
  if (find(word) || find(word.substr(0, word.find('='))))
    return true;
  return !isNegativeNumber(word) && word.find(' ') == std::string_view::npos;
}

void Reader::reportUnknown(const std::string &word) {
  std::string flag = word.substr(0, word.find('='));
  int place = int(position) + 1;
  if (flag == "-h" || flag == "--help")
    return fail(place, flag, "", "prints nothing here",
                "orrery-compile --explain, which lists every option");
  std::vector<std::string_view> flags;
  for (const OptionInfo *option : options)
    flags.push_back(option->flag);
  fail(place, flag, "", "no such option",
       std::string(closestSpelling(flag, flags)));
}

void Reader::readWord() {
  const std::string &word = argv[position];
  if (!isOption(word)) {
    fail(int(position) + 1, "'" + word + "'", "",
         word == "--" ? "ends the options, but the program takes no others"
                      : "belongs to no option");
    onlyValues |= word == "--";
    ++position;
    return;
  }
  if (const OptionInfo *option = find(word))
    return readOption(*option, word, std::nullopt);
  size_t equals = word.find('=');
  if (equals != std::string::npos)
    if (const OptionInfo *option = find(word.substr(0, equals)))
      return readOption(*option, word.substr(0, equals),
                        word.substr(equals + 1));
  reportUnknown(word);
  // The words that would be its values are not reported one by one.
  for (++position; position < argv.size() && !isOption(argv[position]);)
    ++position;
}

void Reader::readOption(const OptionInfo &option, const std::string &flag,
                        std::optional<std::string> attached) {
  int place = int(position++) + 1;
  bool isFlag = option.kind == Kind::Flag || option.kind == Kind::NoFlag;
  bool isList = option.kind == Kind::Ints || option.kind == Kind::Strings;
  std::vector<std::string> words;
  if (attached)
    words.push_back(*attached);
  else if (!isFlag)
    while (position < argv.size() && !isOption(argv[position]) &&
           argv[position] != "--" && (isList || words.empty()))
      words.push_back(argv[position++]);

  if (isFlag && attached)
    return fail(place, flag, *attached, "takes no value", flag);
  if (words.empty() && !isFlag && option.kind != Kind::Strings) {
    std::string need = isList ? "needs at least one value" : "needs a value";
    if (position == argv.size() || !parseFloat(argv[position]))
      return fail(place, flag, "", need);
    const std::string &number = argv[position++];
    return fail(place, flag, number,
                need + "; a negative number with an exponent looks like an "
                       "option",
                flag + "=" + number);
  }
  std::optional<Value> value = convert(option, words, flag, place);
  if (!value)
    return;
  Given &given = result.given[std::string(option.dest)];
  std::string text;
  for (const std::string &word : words)
    text += (text.empty() ? "" : " ") + word;
  if (given.times > 0 && given.flag != flag)
    return fail(place, flag, text,
                "is another name of " + given.flag + ", which is given too",
                "one of the two");
  given = {place, flag, text, given.times + 1};
  result.values.set(option.dest, std::move(*value));
}

std::optional<int64_t> Reader::toInt(const std::string &word,
                                     const std::string &flag, int place) {
  if (std::optional<int64_t> value = parseInt(word))
    return value;
  std::optional<double> real = parseFloat(word);
  bool whole = real && std::abs(*real) < 9e15 && *real == int64_t(*real);
  fail(place, flag, "'" + word + "'", "is not a whole number within 64 bits",
       whole ? std::to_string(int64_t(*real)) : "");
  return std::nullopt;
}

std::optional<Value> Reader::convert(const OptionInfo &option,
                                     const std::vector<std::string> &words,
                                     const std::string &flag, int place) {
  switch (option.kind) {
  case Kind::Flag:
    return true;
  case Kind::NoFlag:
    return false;
  case Kind::Bool:
    return !words[0].empty();
  case Kind::Strings:
    return words;
  case Kind::Int:
    if (std::optional<int64_t> value = toInt(words[0], flag, place))
      return *value;
    return std::nullopt;
  case Kind::Ints: {
    std::vector<int64_t> values;
    for (const std::string &word : words)
      if (std::optional<int64_t> value = toInt(word, flag, place))
        values.push_back(*value);
    if (values.size() != words.size())
      return std::nullopt;
    return values;
  }
  case Kind::Float:
    if (std::optional<double> value = parseFloat(words[0]))
      return *value;
    fail(place, flag, "'" + words[0] + "'", "is not a number");
    return std::nullopt;
  case Kind::Str:
    break;
  }
  std::vector<std::string> choices = split(option.choices);
  if (choices.empty() || std::ranges::count(choices, words[0]))
    return words[0];
  std::string list;
  for (const std::string &choice : choices)
    list += (list.empty() ? "" : ", ") + choice;
  fail(
      place, flag, "'" + words[0] + "'", "is not one of " + list,
      std::string(closestSpelling(words[0], {choices.begin(), choices.end()})));
  return std::nullopt;
}

ParsedArguments parseArguments(const std::vector<const OptionInfo *> &options,
                               const std::vector<std::string> &argv) {
  return Reader(options, argv).run();
}

} // namespace orrery::frontend::megatron
