// Reads GPT-2's vocab.json.
#include "frontend/megatron_lm/Vocabulary.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace orrery::frontend::megatron {

static constexpr const char *kEndOfDocument = "<|endoftext|>";

/// Checks that the ids are 0 … size-1 and finds the end-of-document token.
static std::optional<Vocabulary> fromJson(CommandLine &line,
                                          const nlohmann::json &tokens) {
  auto fail = [&](const std::string &problem) -> std::optional<Vocabulary> {
    line.fail("vocab_file", problem, "GPT-2's vocab.json");
    return std::nullopt;
  };
  if (!tokens.is_object() || tokens.empty())
    return fail("is not a JSON object from token to id");
  int64_t size = int64_t(tokens.size());
  std::vector<bool> seen(tokens.size());
  for (const auto &[token, id] : tokens.items()) {
    if (!id.is_number_integer())
      return fail("gives token " + nlohmann::json(token).dump() +
                  " an id that is not a whole number: " + id.dump());
    int64_t value = id.get<int64_t>();
    if (value < 0 || value >= size || seen[value])
      return fail("gives token " + nlohmann::json(token).dump() + " the id " +
                  id.dump() + ", but " + std::to_string(size) +
                  " tokens need the ids 0 to " + std::to_string(size - 1) +
                  ", each once");
    seen[value] = true;
  }
  auto end = tokens.find(kEndOfDocument);
  if (end == tokens.end())
    return fail(std::string("has no token ") + kEndOfDocument);
  return Vocabulary{size, end->get<int64_t>(), false};
}

std::optional<Vocabulary> readVocabulary(CommandLine &line,
                                         std::optional<int64_t> stated) {
  if (stated && *stated < 1) {
    line.errors.push_back({0, "--vocab-size", std::to_string(*stated),
                           "must be at least 1", "50257"});
    return std::nullopt;
  }
  std::string path = line.values.getText("vocab_file");
  std::ifstream file;
  std::error_code ignored;
  if (!path.empty() && !std::filesystem::is_directory(path, ignored))
    file.open(path);
  if (!file.is_open()) {
    if (stated)
      return Vocabulary{*stated, *stated - 1, true};
    if (path.empty())
      line.fail("vocab_file", "must be given, or the compiler's --vocab-size",
                "--vocab-size=50257 for GPT-2");
    else
      line.fail("vocab_file", "cannot be opened",
                "--vocab-size=50257 before the program, where only the plan "
                "is wanted");
    return std::nullopt;
  }
  nlohmann::json tokens =
      nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (tokens.is_discarded()) {
    line.fail("vocab_file", "is not JSON", "GPT-2's vocab.json");
    return std::nullopt;
  }
  std::optional<Vocabulary> vocabulary = fromJson(line, tokens);
  if (vocabulary && stated && *stated != vocabulary->size) {
    line.fail("vocab_file",
              "has " + std::to_string(vocabulary->size) +
                  " tokens, but --vocab-size says " + std::to_string(*stated),
              "one of the two");
    return std::nullopt;
  }
  return vocabulary;
}

} // namespace orrery::frontend::megatron
