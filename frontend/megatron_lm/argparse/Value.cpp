// Python's rules for reading and printing numbers.
#include "frontend/megatron_lm/argparse/Value.h"

#include "frontend/job/Diagnostic.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace orrery::frontend::megatron {

static bool isDigit(char c) { return c >= '0' && c <= '9'; }

/// Drops surrounding blanks and the underscores that stand between two
/// digits; nothing when an underscore stands elsewhere.
static std::optional<std::string> stripped(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n\r\f\v";
  size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos)
    return std::nullopt;
  text = text.substr(first, text.find_last_not_of(kBlank) - first + 1);
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      result += text[i];
      continue;
    }
    if (i == 0 || i + 1 == text.size() || !isDigit(text[i - 1]) ||
        !isDigit(text[i + 1]))
      return std::nullopt;
  }
  return result;
}

std::optional<int64_t> parseInt(std::string_view text) {
  std::optional<std::string> digits = stripped(text);
  if (!digits)
    return std::nullopt;
  std::string_view rest = *digits;
  if (rest.starts_with('+') && rest.size() > 1 && isDigit(rest[1]))
    rest.remove_prefix(1);
  int64_t value = 0;
  auto [end, error] =
      std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc() || end != rest.data() + rest.size())
    return std::nullopt;
  return value;
}

std::optional<double> parseFloat(std::string_view text) {
  std::optional<std::string> digits = stripped(text);
  if (!digits)
    return std::nullopt;
  std::string_view rest = *digits;
  bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+'))
    rest.remove_prefix(1);
  if (rest.empty() || rest[0] == '-' || rest[0] == '+')
    return std::nullopt;
  double value = 0;
  auto [end, error] =
      std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (end != rest.data() + rest.size() || error == std::errc::invalid_argument)
    return std::nullopt;
  // Python accepts "nan" but not "nan(text)".
  if (rest.find('(') != std::string_view::npos)
    return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    size_t exponent = rest.find_first_of("eE");
    bool tiny = exponent != std::string_view::npos &&
                rest.substr(exponent + 1).starts_with('-');
    value = tiny ? 0.0 : std::numeric_limits<double>::infinity();
  }
  return negative ? -value : value;
}

static std::string floatText(double value) {
  if (std::isnan(value))
    return "nan";
  std::string text = job::shortest(value);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos)
    text += ".0";
  return text;
}

template <typename T, typename Print>
static std::string listText(const std::vector<T> &items, Print print) {
  std::string text = "[";
  for (const T &item : items)
    text += (text.size() > 1 ? ", " : "") + print(item);
  return text + "]";
}

std::string toText(const Value &value) {
  struct Printer {
    std::string operator()(std::monostate) { return "None"; }
    std::string operator()(bool b) { return b ? "True" : "False"; }
    std::string operator()(int64_t i) { return std::to_string(i); }
    std::string operator()(double d) { return floatText(d); }
    std::string operator()(const std::string &s) { return s; }
    std::string operator()(const std::vector<std::string> &list) {
      return listText(list, [](const std::string &s) { return "'" + s + "'"; });
    }
    std::string operator()(const std::vector<int64_t> &list) {
      return listText(list, [](int64_t i) { return std::to_string(i); });
    }
  };
  return std::visit(Printer{}, value);
}

void Namespace::set(std::string_view dest, Value value) {
  values.insert_or_assign(std::string(dest), std::move(value));
}

const Value &Namespace::get(std::string_view dest) const {
  static const Value none;
  auto found = values.find(dest);
  return found == values.end() ? none : found->second;
}

bool Namespace::isNone(std::string_view dest) const {
  return std::holds_alternative<std::monostate>(get(dest));
}

std::optional<int64_t> Namespace::getInt(std::string_view dest) const {
  if (const int64_t *value = std::get_if<int64_t>(&get(dest)))
    return *value;
  return std::nullopt;
}

std::optional<double> Namespace::getFloat(std::string_view dest) const {
  if (const double *value = std::get_if<double>(&get(dest)))
    return *value;
  return std::nullopt;
}

std::string Namespace::getText(std::string_view dest) const {
  const std::string *value = std::get_if<std::string>(&get(dest));
  return value ? *value : "";
}

std::vector<std::string> Namespace::getList(std::string_view dest) const {
  using List = std::vector<std::string>;
  const List *value = std::get_if<List>(&get(dest));
  return value ? *value : List();
}

bool Namespace::getFlag(std::string_view dest) const {
  const bool *value = std::get_if<bool>(&get(dest));
  return value && *value;
}

} // namespace orrery::frontend::megatron
