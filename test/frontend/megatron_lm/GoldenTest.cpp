// Every recorded launch and malformed command line of the original: the same
// derived values, and an error where the original has one.
#include "test/frontend/Recorded.h"
#include "test/frontend/megatron_lm/CommandLine.h"

#include <gtest/gtest.h>

#include <map>

using namespace orrery;
using namespace orrery::frontend::megatron;
using nlohmann::json;

static json toJson(const Value &value) {
  return std::visit(
      [](const auto &held) -> json {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>,
                                     std::monostate>)
          return nullptr;
        else
          return held;
      },
      value);
}

/// Parses a recorded case. The vocabulary files are not part of the record;
/// where one is named its size is given.
static ParseResult parseCase(const json &entry) {
  ParseRequest request;
  request.program = entry["program_path"];
  for (const json &word : entry["argv"])
    request.argv.push_back(word);
  request.worldSize = entry["world_size"];
  if (entry.contains("derived") && !entry["derived"].is_null())
    request.worldSize = entry["derived"]["world_size"];
  for (const std::string &word : request.argv)
    if (word.starts_with("--vocab-file"))
      request.vocabSize = 50257;
  return parse(request);
}

static void compare(const json &derived, const ParseResult &result) {
  for (const auto &[key, value] : derived.items()) {
    auto found = result.derived.all().find(key);
    ASSERT_NE(found, result.derived.all().end()) << key;
    EXPECT_EQ(toJson(found->second), value) << key;
  }
}

TEST(Golden, LaunchScriptsDeriveTheSameValues) {
  auto folder = test::recordedFolder() / "cli" / "megatron";
  ORRERY_SKIP_WITHOUT(folder);
  int compared = 0;
  for (const auto &file : std::filesystem::directory_iterator(folder)) {
    if (file.path().filename() == "malformed.json")
      continue;
    SCOPED_TRACE(file.path().filename().string());
    json entry = test::readJson(file.path());
    ParseResult result = parseCase(entry);
    if (!entry["error"].is_null()) {
      EXPECT_FALSE(result.ok());
      continue;
    }
    compare(entry["derived"], result);
    ++compared;
    std::string program = entry["program_path"];
    if (program == "pretrain_gpt.py") {
      EXPECT_EQ(job::format(result.errors), "");
      EXPECT_EQ(result.job.model().padded_vocab_size(),
                entry["after_parse"]["args_changed_before_training"]
                     ["padded_vocab_size"]
                         .get<int64_t>());
      const json &scheduler = entry["after_parse"]["lr_scheduler"];
      EXPECT_EQ(result.job.train().lr_decay_samples(),
                scheduler["decay_steps"].get<double>());
      EXPECT_EQ(result.job.train().lr_warmup_samples(),
                scheduler["warmup_steps"].get<double>());
    } else {
      ASSERT_EQ(result.errors.size(), 1u) << job::format(result.errors);
      EXPECT_NE(result.errors[0].str().find("not supported yet"),
                std::string::npos);
    }
  }
  EXPECT_GE(compared, 10);
}

/// Cases where Orrery decides otherwise on purpose, and why.
static const std::map<std::string, std::string> &refusedHere() {
  static const std::map<std::string, std::string> reasons = {
      {"tp_larger_than_world",
       "the original quietly trains another layout; larger than the world "
       "size"},
      {"virtual_lost_layers",
       "the original never builds 4 of the 20 layers; layers would be lost"},
      {"t5_without_decoder_seq", "another program; not supported yet"},
      {"bert_gpt_tokenizer", "another program; not supported yet"},
  };
  return reasons;
}
static const std::map<std::string, std::string> &acceptedHere() {
  static const std::map<std::string, std::string> reasons = {
      {"local_rank_mismatch",
       "ranks and devices come from mpirun; the option has no effect"},
  };
  return reasons;
}

TEST(Golden, MalformedLinesFailWhereTheOriginalFails) {
  auto path = test::recordedFolder() / "cli" / "megatron" / "malformed.json";
  ORRERY_SKIP_WITHOUT(path);
  json cases = test::readJson(path);
  json base = cases[0]["derived"];
  int compared = 0;
  for (const json &entry : cases) {
    std::string id = entry["id"];
    SCOPED_TRACE(id);
    ParseResult result = parseCase(entry);
    std::string errors = job::format(result.errors);
    if (auto reason = refusedHere().find(id); reason != refusedHere().end()) {
      EXPECT_TRUE(entry["accepted"].get<bool>());
      EXPECT_FALSE(result.ok());
      std::string expected =
          reason->second.substr(reason->second.find("; ") + 2);
      EXPECT_NE(errors.find(expected), std::string::npos) << errors;
    } else if (acceptedHere().count(id)) {
      EXPECT_FALSE(entry["accepted"].get<bool>());
      EXPECT_EQ(errors, "");
    } else {
      EXPECT_EQ(result.ok(), entry["accepted"].get<bool>()) << errors;
    }
    // The base's own values hold for the same program only where recorded.
    if (!entry.contains("derived_diff_from_valid_base") ||
        entry["derived_diff_from_valid_base"].is_null() ||
        id == "tp_larger_than_world")
      continue;
    json derived = base;
    derived.update(entry["derived_diff_from_valid_base"]);
    compare(derived, result);
    ++compared;
  }
  EXPECT_GE(compared, 25);
}

/// The recorded training runs of GPT compile from their own folder.
TEST(Golden, RecordedTrainingRunsParse) {
  auto folder = test::recordedFolder() / "megatron_lm";
  ORRERY_SKIP_WITHOUT(folder);
  auto before = std::filesystem::current_path();
  const std::map<std::string, int> ranks = {{"m1", 1}, {"m2", 1}, {"m3", 2},
                                            {"m4", 2}, {"m5", 4}, {"m9", 1}};
  for (const auto &[name, worldSize] : ranks) {
    SCOPED_TRACE(name);
    std::filesystem::current_path(folder / name);
    std::ifstream stream("args.txt");
    std::string line{std::istreambuf_iterator<char>(stream), {}};
    ParseResult result = test::parseLine(line, worldSize, std::nullopt);
    std::filesystem::current_path(before);
    EXPECT_EQ(job::format(result.errors), "");
    EXPECT_EQ(result.job.model().vocab_size(), 257);
    EXPECT_EQ(result.job.data().eod_token(), 256);
    EXPECT_EQ(result.job.parallel().data(), 1);
  }
}
