// Conversion and description of token files, as library and as program.
#include "tools/orrery-data/TokenFileCommands.h"

#include "runtime/data/IndexedDataset.h"
#include "test/runtime/data/RecordedArray.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/wait.h>

namespace orrery::tools {
namespace {

using runtime::IndexedDataset;

class OrreryData : public testing::Test {
protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() /
             ("orrery-data-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string &name) const { return folder / name; }
  std::string put(const std::string &name, const std::string &bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  /// Documents of PREFIX as text, the end of document as '|'.
  static std::vector<std::string> documents(const std::string &prefix) {
    std::vector<std::string> all;
    auto file = IndexedDataset::open(prefix);
    EXPECT_TRUE(file.ok()) << file.status();
    for (int64_t item = 0; file.ok() && item < file->numItems(); ++item) {
      std::vector<int64_t> tokens(file->size(item));
      EXPECT_TRUE(file->read(item, 0, tokens).ok());
      std::string text;
      for (int64_t token : tokens)
        text += token == 256 ? '|' : static_cast<char>(token);
      all.push_back(text);
    }
    return all;
  }
  /// Runs the program; gives its exit status and all it prints.
  std::pair<int, std::string> run(const std::string &arguments) const {
    const std::string log = path("log");
    const int status = std::system(
        (std::string(ORRERY_DATA) + " " + arguments + " >" + log + " 2>&1")
            .c_str());
    return {WEXITSTATUS(status), test::readText(log)};
  }

  std::filesystem::path folder;
};

using Texts = std::vector<std::string>;

TEST_F(OrreryData, MakesOneDocumentOfEachFile) {
  WriteRequest request;
  request.prefix = path("out");
  request.files = {put("a", "one\ntwo\n"), put("empty", ""),
                   put("b", std::string("\0\xff", 2))};
  auto result = writeTokenFiles(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(documents(request.prefix),
            (Texts{"one\ntwo\n|", std::string("\0\xff|", 3)}));
  EXPECT_TRUE(std::filesystem::exists(request.prefix + ".vocab.json"));
}

TEST_F(OrreryData, KeepsADocumentOfSeveralPiecesWhole) {
  std::string text;
  for (int i = 0; text.size() < (2 << 20); ++i) // a whole number of pieces
    text += static_cast<char>('a' + i % 23);
  WriteRequest request;
  request.prefix = path("out");
  request.files = {put("a", text), put("b", text + "!")};
  ASSERT_TRUE(writeTokenFiles(request).ok());
  EXPECT_EQ(documents(request.prefix), (Texts{text + "|", text + "!|"}));
}

TEST_F(OrreryData, MakesOneDocumentOfEachLine) {
  WriteRequest request;
  request.prefix = path("out");
  request.form = DocumentForm::Lines;
  request.appendEod = false;
  request.files = {put("a", "one\n\ntwo"), put("b", "three\n")};
  ASSERT_TRUE(writeTokenFiles(request).ok());
  EXPECT_EQ(documents(request.prefix), (Texts{"one", "two", "three"}));
}

TEST_F(OrreryData, MakesOneDocumentOfEachJsonRecord) {
  WriteRequest request;
  request.prefix = path("out");
  request.form = DocumentForm::JsonLines;
  request.key = "text";
  request.files = {put("a", "{\"text\": \"a\\nb\", \"id\": 1}\n\n"
                            "{\"text\": \"\"}\n{\"id\": 2, \"text\": \"c\"}")};
  ASSERT_TRUE(writeTokenFiles(request).ok());
  EXPECT_EQ(documents(request.prefix), (Texts{"a\nb|", "c|"}));
}

TEST_F(OrreryData, NamesFileAndLineOfABadRecord) {
  WriteRequest request;
  request.prefix = path("out");
  request.form = DocumentForm::JsonLines;
  request.key = "text";
  for (const char *line : {"{\"text\": ", "[1]", "{\"body\": \"x\"}",
                           "{\"text\": 3}", "{\"text\": \"\xff\"}"}) {
    request.files = {put("a", std::string("{\"text\": \"ok\"}\n") + line)};
    auto result = writeTokenFiles(request);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(result.status().message().find("a:2: "), std::string::npos)
        << result.status();
  }
  // Only the input is left: no token file, whole or half.
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    EXPECT_EQ(entry.path().filename(), "a");
}

TEST_F(OrreryData, ConvertsTheRecordedTextAsTheOriginalDid) {
  const std::string prefix = test::recorded("gpt/lines_text_document");
  std::string lines;
  for (std::string text : documents(prefix))
    lines += text.substr(0, text.size() - 1) + "\n";
  put("lines", lines);
  const auto [status, log] =
      run("--split-lines --out=" + path("out") + " " + path("lines"));
  ASSERT_EQ(status, 0) << log;
  for (const char *ending : {".bin", ".idx"})
    EXPECT_EQ(test::readText(path("out") + ending),
              test::readText(prefix + ending));
}

TEST_F(OrreryData, ShowsWhatIsInATokenFile) {
  put("a", "hello\n");
  put("b", "orrery");
  ASSERT_EQ(
      run("--out=" + path("out") + " " + path("a") + " " + path("b")).first, 0);
  const auto [status, text] = run("--show " + path("out"));
  EXPECT_EQ(status, 0);
  for (const char *part :
       {"14 of type uint16", "2 in 2 items", "7 to 7 tokens", "10 to 256",
        "document 0, read as bytes: hello\\n<|endoftext|>"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  EXPECT_NE(run("--show " + path("out") + " --document 1").second.find("orre"),
            std::string::npos);
  const auto [code, error] = run("--show " + path("out") + " --document 2");
  EXPECT_EQ(code, 1);
  EXPECT_NE(error.find("document 2 does not exist"), std::string::npos);
}

TEST_F(OrreryData, ExplainsItsMistakenUse) {
  EXPECT_EQ(run("").first, 2);
  EXPECT_EQ(run("--out=" + path("out")).first, 2);
  EXPECT_EQ(run("--out=x --json-lines k --split-lines a").first, 2);
  EXPECT_EQ(run("--nonsense").first, 2);
  EXPECT_EQ(run("--help").first, 0);
  const auto [code, error] = run("--out=" + path("out") + " " + path("none"));
  EXPECT_EQ(code, 1);
  EXPECT_NE(error.find(path("none")), std::string::npos) << error;
  EXPECT_EQ(run("--out=" + path("no/out") + " " + put("a", "x")).first, 1);
  EXPECT_EQ(run("--out=" + path("out") + " " + put("e", "")).first, 1);
}

} // namespace
} // namespace orrery::tools
