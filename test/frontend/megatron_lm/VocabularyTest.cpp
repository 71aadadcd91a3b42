// Vocabulary files, right and wrong.
#include "test/frontend/megatron_lm/CommandLine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

using namespace orrery;
using namespace orrery::frontend::megatron;

namespace {

/// A vocabulary file that lives as long as the test.
class VocabularyFile : public testing::Test {
protected:
  void SetUp() override {
    std::string name =
        testing::UnitTest::GetInstance()->current_test_info()->name();
    path = std::filesystem::temp_directory_path() / ("vocab-" + name);
  }
  void TearDown() override { std::filesystem::remove(path); }

  ParseResult parseText(const std::string &text,
                        std::optional<int64_t> stated = std::nullopt) {
    std::ofstream(path) << text;
    return test::parseLine(std::string(test::kModel) + test::kLayout +
                               test::kSteps + "--vocab-file " + path.string(),
                           8, stated);
  }

  std::filesystem::path path;
};

} // namespace

static std::string reason(const ParseResult &result, const char *option) {
  for (const ExplainRow &row : result.explain)
    if (row.option == option)
      return row.reason;
  return "";
}

TEST_F(VocabularyFile, GivesSizeAndEndOfDocument) {
  ParseResult result =
      parseText(R"({"a": 0, "<|endoftext|>": 1, "\u0120b": 2})");
  EXPECT_EQ(job::format(result.errors), "");
  EXPECT_EQ(result.job.model().vocab_size(), 3);
  EXPECT_EQ(result.job.model().padded_vocab_size(), 256);
  EXPECT_EQ(result.job.data().eod_token(), 1);
  EXPECT_EQ(reason(result, "end-of-document token"), "id of <|endoftext|>");
}

TEST_F(VocabularyFile, MustAgreeWithTheStatedSize) {
  const char *text = R"({"a": 0, "<|endoftext|>": 1})";
  EXPECT_EQ(job::format(parseText(text, 2).errors), "");
  std::string errors = job::format(parseText(text, 3).errors);
  EXPECT_NE(errors.find("has 2 tokens, but --vocab-size says 3"),
            std::string::npos)
      << errors;
}

TEST_F(VocabularyFile, IsRefusedWhenMalformed) {
  const std::pair<const char *, const char *> cases[] = {
      {"", "not JSON"},
      {"{\"a\": 0", "not JSON"},
      {"[1, 2]", "not a JSON object"},
      {"{}", "not a JSON object"},
      {R"({"a": "0"})", "not a whole number"},
      {R"({"a": 0.5})", "not a whole number"},
      {R"({"a": 0, "b": 2})", "ids 0 to 1"},
      {R"({"a": 0, "b": 0})", "ids 0 to 1"},
      {R"({"a": -1, "b": 0})", "ids 0 to 1"},
      {R"({"a": 18446744073709551615})", "ids 0 to 0"},
      {R"({"a": 0, "b": 1})", "no token <|endoftext|>"},
  };
  for (const auto &[text, words] : cases) {
    ParseResult result = parseText(text);
    std::string errors = job::format(result.errors);
    EXPECT_EQ(result.errors.size(), 1u) << text << errors;
    EXPECT_NE(errors.find(words), std::string::npos) << text << errors;
    EXPECT_NE(errors.find("--vocab-file"), std::string::npos) << errors;
  }
}

TEST(Vocabulary, StatedSizeStandsInForTheFile) {
  ParseResult result = test::parseWith("--vocab-file /no/such/file");
  EXPECT_EQ(job::format(result.errors), "");
  EXPECT_EQ(result.job.model().vocab_size(), 50257);
  EXPECT_EQ(result.job.model().padded_vocab_size(), 50432);
  EXPECT_EQ(result.job.data().eod_token(), 50256);
  EXPECT_NE(reason(result, "end-of-document token").find("as in GPT-2"),
            std::string::npos);
}

TEST(Vocabulary, OneOfTheTwoIsNeeded) {
  std::string line = std::string(test::kModel) + test::kLayout + test::kSteps;
  std::string none = job::format(test::parseLine(line, 8, std::nullopt).errors);
  EXPECT_NE(none.find("--vocab-file: must be given"), std::string::npos);
  std::string absent = job::format(
      test::parseLine(line + "--vocab-file /no/such", 8, std::nullopt).errors);
  EXPECT_NE(absent.find("cannot be opened"), std::string::npos) << absent;
  std::string folder = job::format(
      test::parseLine(line + "--vocab-file /", 8, std::nullopt).errors);
  EXPECT_NE(folder.find("cannot be opened"), std::string::npos) << folder;
  std::string zero = job::format(test::parseLine(line, 8, 0).errors);
  EXPECT_NE(zero.find("--vocab-size 0"), std::string::npos) << zero;
}
