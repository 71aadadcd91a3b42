// Reader and writer of token files, with sound and with damaged ones.
#include "runtime/data/IndexedDataset.h"

#include "runtime/data/IndexedDatasetWriter.h"
#include "test/runtime/data/RecordedArray.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

using test::readText;
using test::recorded;

/// A folder of the test's own, removed with it.
class TokenFiles : public testing::Test {
protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() /
             ("orrery-token-files-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string &name) const { return folder / name; }
  void put(const std::string &name, const std::string &bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }
  size_t filesInFolder() const {
    return std::distance(std::filesystem::directory_iterator(folder), {});
  }

  std::filesystem::path folder;
};

/// The recorded pair in memory, to be damaged.
struct Pair {
  std::string index = readText(recorded("gpt/lines_text_document.idx"));
  std::string tokens = readText(recorded("gpt/lines_text_document.bin"));

  template <typename T> void set(size_t offset, T value) {
    std::memcpy(index.data() + offset, &value, sizeof(value));
  }
  absl::StatusOr<IndexedDataset> open() const {
    return IndexedDataset::fromBytes("p", std::as_bytes(std::span(index)),
                                     std::as_bytes(std::span(tokens)));
  }
  /// Expects a refusal whose message contains every one of `parts`.
  void expectError(std::initializer_list<const char *> parts) const {
    const absl::Status status = open().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    for (const char *part : parts)
      EXPECT_NE(status.message().find(part), std::string::npos) << status;
  }
};

constexpr size_t items = 99; // of the recorded pair, one per document

TEST(IndexedDataset, ReadsWhatTheOriginalWrote) {
  auto file = IndexedDataset::open(recorded("gpt/lines_text_document"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->tokenType(), TokenType::U16);
  EXPECT_EQ(file->numItems(), 99);
  EXPECT_EQ(file->numDocuments(), 99);
  EXPECT_EQ(file->numTokens(), 11936 / 2);
  EXPECT_EQ(file->documentStart(99), 99);
  std::vector<int64_t> tokens(file->size(5));
  ASSERT_TRUE(file->read(5, 0, tokens).ok());
  EXPECT_EQ(tokens.back(), 256); // end of document
  std::vector<int64_t> tail(2);
  ASSERT_TRUE(file->read(5, file->size(5) - 2, tail).ok());
  EXPECT_EQ(tail[0], tokens[tokens.size() - 2]);
}

TEST(IndexedDataset, RefusesRangesThatDoNotExist) {
  auto file = IndexedDataset::open(recorded("gpt/lines_text_document"));
  ASSERT_TRUE(file.ok());
  std::vector<int64_t> out(3);
  EXPECT_EQ(file->read(99, 0, out).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(file->read(-1, 0, out).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(file->read(0, file->size(0) - 2, out).code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(file->read(0, -1, out).code(), absl::StatusCode::kOutOfRange);
}

TEST(IndexedDataset, NamesPlaceValueAndLimitOfADamagedHeader) {
  Pair pair;
  pair.set<char>(0, 'X');
  pair.expectError({"p.idx", "offset 0", "MMIDIDX"});
  pair = {};
  pair.set<uint64_t>(9, 7);
  pair.expectError({"p.idx", "offset 9", "version 7", "only 1"});
  pair = {};
  pair.set<uint8_t>(17, 9);
  pair.expectError({"p.idx", "offset 17", "type 9", "1 to 8"});
  pair = {};
  pair.set<uint64_t>(18, UINT64_MAX);
  pair.expectError({"p.idx", "offset 18", "18446744073709551615", "165"});
  pair = {};
  pair.set<uint64_t>(26, UINT64_MAX / 8 + 2);
  pair.expectError({"p.idx", "offset 26"});
  pair = {};
  pair.set<uint64_t>(26, 0);
  pair.expectError({"p.idx", "offset 26", "at least 1"});
}

TEST(IndexedDataset, NamesPlaceValueAndLimitOfDamagedItems) {
  Pair pair;
  pair.set<int32_t>(34 + 4 * 3, -5);
  pair.expectError({"p.idx", "offset 46", "item 3", "-5", "at least 0"});
  pair = {};
  pair.set<int32_t>(34 + 4 * 3, INT32_MAX);
  pair.expectError({"p.bin", "truncated", "item 3", "2147483647", "11936"});
  pair = {};
  pair.set<int64_t>(34 + 4 * items + 8 * 2, -1);
  pair.expectError({"p.idx", "offset 446", "item 2", "byte -1"});
  pair = {};
  pair.set<int64_t>(34 + 12 * items, 1);
  pair.expectError({"p.idx", "offset 1222", "item 1", "must be 0"});
  pair = {};
  pair.set<int64_t>(34 + 12 * items + 8 * 4, 2);
  pair.expectError({"p.idx", "offset 1254", "bound 4", "item 2", "3", "99"});
  pair = {};
  pair.set<int64_t>(34 + 12 * items + 8 * items, 98);
  pair.expectError({"p.idx", "ends at item 98", "99"});
}

TEST(IndexedDataset, RefusesEveryTruncation) {
  const Pair whole;
  for (size_t length = 0; length < whole.index.size(); ++length) {
    Pair pair = whole;
    pair.index.resize(length);
    ASSERT_FALSE(pair.open().ok()) << length;
  }
  for (size_t length = 0; length < whole.tokens.size(); ++length) {
    Pair pair = whole;
    pair.tokens.resize(length);
    ASSERT_FALSE(pair.open().ok()) << length;
  }
  Pair longer;
  longer.tokens += '\0';
  longer.expectError({"p.bin", "11937", "11936"});
  longer = {};
  longer.index += '\0';
  longer.expectError({"p.idx", "2023", "2022"});
}

// Every bit of the index is covered by a check, except in the element type
// where another type of two bytes is as good.
TEST(IndexedDataset, RefusesEveryFlippedBitOfTheIndex) {
  const Pair whole;
  for (size_t bit = 0; bit < 8 * whole.index.size(); ++bit) {
    Pair pair = whole;
    pair.index[bit / 8] ^= static_cast<char>(1 << bit % 8);
    const int type = pair.index[17];
    const bool sameWidth = type == 3 || type == 8;
    // A document bound may move to a neighbour: bounds are not redundant.
    const bool bound = bit / 8 >= 34 + 12 * items;
    if (bit / 8 == 17 ? !sameWidth : !bound) {
      ASSERT_FALSE(pair.open().ok()) << "bit " << bit;
    }
  }
}

TEST(IndexedDataset, ExplainsThatTntidxCannotBeUsed) {
  Pair pair;
  pair.index.replace(0, 8, std::string("TNTIDX\0\0", 8));
  pair.expectError({"p.idx", "TNTIDX", "--dataset-impl mmap", "orrery-data"});
}

TEST_F(TokenFiles, ReportAMissingFile) {
  EXPECT_EQ(IndexedDataset::open(path("none")).status().code(),
            absl::StatusCode::kNotFound);
  put("half.idx", readText(recorded("gpt/lines_text_document.idx")));
  const absl::Status status = IndexedDataset::open(path("half")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("half.bin"), std::string::npos);
}

TEST_F(TokenFiles, AreWrittenAsTheOriginalWritesThem) {
  auto source = IndexedDataset::open(recorded("gpt/lines_text_document"));
  ASSERT_TRUE(source.ok());
  auto writer = IndexedDatasetWriter::create(path("copy"), TokenType::U16);
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (int64_t item = 0; item < source->numItems(); ++item) {
    std::vector<int64_t> tokens(source->size(item));
    ASSERT_TRUE(source->read(item, 0, tokens).ok());
    ASSERT_TRUE(writer->addItem(tokens).ok());
    ASSERT_TRUE(writer->endDocument().ok());
  }
  EXPECT_FALSE(std::filesystem::exists(path("copy.bin")));
  ASSERT_TRUE(writer->finish().ok());
  EXPECT_EQ(readText(path("copy.idx")), Pair().index);
  EXPECT_EQ(readText(path("copy.bin")), Pair().tokens);
  EXPECT_EQ(filesInFolder(), 2u);
}

TEST_F(TokenFiles, KeepEveryElementType) {
  const std::vector<int64_t> tokens = {0, 1, 100, 127};
  for (int code = 1; code <= 8; ++code) {
    const auto type = static_cast<TokenType>(code);
    auto writer = IndexedDatasetWriter::create(path("typed"), type);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->addItem({}).ok());
    ASSERT_TRUE(writer->addItem(tokens).ok());
    ASSERT_TRUE(writer->endDocument().ok());
    ASSERT_TRUE(writer->finish().ok());
    auto file = IndexedDataset::open(path("typed"));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->tokenType(), type);
    std::vector<int64_t> got(4);
    ASSERT_TRUE(file->read(1, 0, got).ok());
    EXPECT_EQ(got, tokens);
    EXPECT_EQ(file->numDocuments(), 1);
  }
}

TEST_F(TokenFiles, RefuseTokensThatDoNotFitTheirType) {
  auto writer = IndexedDatasetWriter::create(path("narrow"), TokenType::U16);
  ASSERT_TRUE(writer.ok());
  const absl::Status status =
      writer->addItem(std::vector<int64_t>{1, 2, 65536});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const char *part : {"token 2", "65536", "uint16"})
    EXPECT_NE(status.message().find(part), std::string::npos) << status;
}

TEST_F(TokenFiles, LeaveNothingBehindWhenNotFinished) {
  put("kept.idx", "old");
  {
    auto writer = IndexedDatasetWriter::create(path("kept"), TokenType::I32);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->addItem(std::vector<int64_t>{1}).ok());
    EXPECT_EQ(writer->finish().code(), absl::StatusCode::kFailedPrecondition);
    ASSERT_TRUE(writer->endDocument().ok());
    ASSERT_TRUE(writer->append(std::vector<int64_t>{2}).ok());
    EXPECT_EQ(writer->finish().code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ(filesInFolder(), 1u);
  EXPECT_EQ(readText(path("kept.idx")), "old");
}

TEST(IndexedDataset, RefusesFractionalTokens) {
  std::string index("MMIDIDX\0\0", 9);
  auto put = [&index](auto value) {
    index.append(reinterpret_cast<const char *>(&value), sizeof(value));
  };
  put(uint64_t{1});
  put(uint8_t{7});
  put(uint64_t{1});
  put(uint64_t{2});
  put(int32_t{2});
  put(int64_t{0});
  put(int64_t{0});
  put(int64_t{1});
  const double values[] = {3, 2.5};
  auto file = IndexedDataset::fromBytes("p", std::as_bytes(std::span(index)),
                                        std::as_bytes(std::span(values)));
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<int64_t> out(1);
  EXPECT_TRUE(file->read(0, 0, out).ok());
  const absl::Status status = file->read(0, 1, out);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("offset 8"), std::string::npos) << status;
}

} // namespace
} // namespace orrery::runtime
