// The values of a parsed command line, typed as Python's argparse types them.
#ifndef ORRERY_FRONTEND_MEGATRON_LM_ARGPARSE_VALUE_H
#define ORRERY_FRONTEND_MEGATRON_LM_ARGPARSE_VALUE_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace orrery::frontend::megatron {

/// None, bool, int, float, str or a list of str or int.
using Value = std::variant<std::monostate, bool, int64_t, double, std::string,
                           std::vector<std::string>, std::vector<int64_t>>;

/// Python's int(text): surrounding blanks, a sign and single underscores
/// between digits are legal. Empty when malformed or beyond 64 bits.
std::optional<int64_t> parseInt(std::string_view text);

/// Python's float(text): as above with fraction, exponent, "inf" and "nan".
std::optional<double> parseFloat(std::string_view text);

/// As Python prints it: "None", "True", "0.1", "['a', 'b']"; text is bare.
std::string toText(const Value &value);

/// The values by destination name, like argparse's Namespace. The getters
/// take names that exist; another type than asked for counts as None.
class Namespace {
public:
  void set(std::string_view dest, Value value);
  const Value &get(std::string_view dest) const;
  bool isNone(std::string_view dest) const;

  std::optional<int64_t> getInt(std::string_view dest) const;
  std::optional<double> getFloat(std::string_view dest) const;
  std::string getText(std::string_view dest) const; // "" for None
  std::vector<std::string> getList(std::string_view dest) const;
  bool getFlag(std::string_view dest) const; // false for None

  const std::map<std::string, Value, std::less<>> &all() const {
    return values;
  }

private:
  std::map<std::string, Value, std::less<>> values;
};

} // namespace orrery::frontend::megatron

#endif // ORRERY_FRONTEND_MEGATRON_LM_ARGPARSE_VALUE_H
