// safetensors files: round trips, recorded files, and every kind of fault.
#include "runtime/checkpoint/Safetensors.h"
#include "runtime/checkpoint/SafetensorsWriter.h"
#include "test/runtime/checkpoint/ToyRun.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

namespace orrery::runtime {
namespace {

using test::freshFolder;
using test::readBytes;

std::string framed(const std::string &header, size_t dataBytes) {
  std::string bytes;
  for (int i = 0; i < 8; ++i)
    bytes.push_back(static_cast<char>(uint64_t{header.size()} >> (8 * i)));
  return bytes + header + std::string(dataBytes, '\1');
}

absl::StatusOr<SafetensorsFile> parse(const std::string &bytes) {
  return SafetensorsFile::parse(
      absl::MakeConstSpan(reinterpret_cast<const std::byte *>(bytes.data()),
                          bytes.size()),
      "toy.safetensors");
}

absl::Span<const std::byte> bytesOf(const std::vector<float> &values) {
  return {reinterpret_cast<const std::byte *>(values.data()),
          values.size() * sizeof(float)};
}

TEST(Safetensors, ReadsWhatItWrote) {
  std::string path = freshFolder("round-trip") + "/a.safetensors";
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  uint16_t halves[2] = {0x3c00, 0xc000};
  ASSERT_TRUE(
      writeSafetensors(path,
                       {{"half",
                         "F16",
                         {2},
                         {reinterpret_cast<const std::byte *>(halves), 4}},
                        {"matrix", "F32", {2, 3}, bytesOf(values)},
                        {"scalar", "F32", {}, bytesOf({7})}},
                       {{"who", "a \"test\""}})
          .ok());
  absl::StatusOr<SafetensorsFile> file = SafetensorsFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata().at("who"), "a \"test\"");
  ASSERT_NE(file->find("matrix"), nullptr);
  EXPECT_EQ(file->find("matrix")->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file->find("scalar")->shape, (std::vector<int64_t>{}));
  EXPECT_EQ(file->find("nothing"), nullptr);
  for (const TensorEntry &entry : file->tensors())
    EXPECT_EQ(reinterpret_cast<uintptr_t>(file->bytes(entry).data()) %
                  (dtypeBits(entry.dtype) / 8),
              0u);
  float box[2];
  ASSERT_TRUE(file->readBox(*file->find("matrix"), {{1, 1}, {1, 2}}, box).ok());
  EXPECT_EQ(box[0], 5);
  EXPECT_EQ(box[1], 6);
  ASSERT_TRUE(file->readBox(*file->find("half"), {{0}, {2}}, box).ok());
  EXPECT_EQ(box[0], 1);
  EXPECT_EQ(box[1], -2);
  EXPECT_EQ(file->readBox(*file->find("matrix"), {{1, 2}, {1, 2}}, box).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Safetensors, ReadsARecordedFile) {
  const char *shared = std::getenv("ORRERY_SHARED");
  std::string path =
      (shared ? std::string(shared) : ORRERY_SOURCE_DIR "/../shared") +
      "/golden/megatron_lm/m1/weights_init.safetensors";
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << "no recorded run at " << path;
  absl::StatusOr<SafetensorsFile> file = SafetensorsFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->tensors().size(), 52u);
  const TensorEntry *norm =
      file->find("language_model.encoder.final_layernorm.weight");
  ASSERT_NE(norm, nullptr);
  std::vector<float> values(64);
  ASSERT_TRUE(file->readBox(*norm, {{0}, {64}}, values.data()).ok());
  EXPECT_EQ(values, std::vector<float>(64, 1.0f));
}

TEST(Safetensors, RefusesToWriteWhatDoesNotFit) {
  std::string path = freshFolder("misfit") + "/a.safetensors";
  EXPECT_FALSE(
      writeSafetensors(path, {{"a", "F32", {2}, bytesOf({1})}}, {}).ok());
  EXPECT_FALSE(
      writeSafetensors(path, {{"a", "F33", {1}, bytesOf({1})}}, {}).ok());
  EXPECT_FALSE(writeSafetensors(path,
                                {{"a", "F32", {1}, bytesOf({1})},
                                 {"a", "F32", {1}, bytesOf({1})}},
                                {})
                   .ok());
  EXPECT_FALSE(std::filesystem::exists(path));
}

struct HeaderFault {
  std::string header;
  size_t dataBytes;
  std::string word;
};

TEST(Safetensors, NamesEveryFaultOfAHeader) {
  auto tensor = [](const std::string &name, const std::string &dtype,
                   const std::string &shape, const std::string &offsets) {
    return "\"" + name + "\":{\"dtype\":" + dtype + ",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}";
  };
  std::string sound = tensor("a", "\"F32\"", "[2]", "[0,8]");
  ASSERT_TRUE(parse(framed("{" + sound + "}", 8)).ok());
  for (const HeaderFault &fault : std::vector<HeaderFault>{
           {"[" + sound + "]", 8, "not a JSON object"},
           {"[]", 0, "not a JSON object"},
           {"{" + sound, 8, "not a JSON object"},
           {"{" + sound + "," + sound + "}", 8, "'a' twice"},
           {"{" + sound + "}", 7, "truncated"},
           {"{" + sound + "}", 9, "trailing"},
           {"{}", 1, "trailing"},
           {"{\"a\":7}", 0, "expected exactly dtype"},
           {"{\"a\":{\"dtype\":\"F32\"}}", 0, "expected exactly dtype"},
           {"{" + tensor("a", "\"F31\"", "[2]", "[0,8]") + "}", 8, "F31"},
           {"{" + tensor("a", "4", "[2]", "[0,8]") + "}", 8, "dtype 4"},
           {"{" + tensor("a", "\"F32\"", "[-2]", "[0,8]") + "}", 8,
            "list of sizes"},
           {"{" + tensor("a", "\"F32\"", "[2.5]", "[0,8]") + "}", 8,
            "list of sizes"},
           {"{" + tensor("a", "\"F32\"", "2", "[0,8]") + "}", 8,
            "list of sizes"},
           {"{" + tensor("a", "\"F32\"", "[3]", "[0,8]") + "}", 8,
            "needs 12 bytes"},
           {"{" + tensor("a", "\"F32\"", "[2]", "[8,0]") + "}", 8,
            "needs 8 bytes"},
           {"{" + tensor("a", "\"F32\"", "[2]", "[0]") + "}", 8, "pair"},
           {"{" +
                tensor("a", "\"F32\"",
                       "[4611686018427387904,4611686018427387904]", "[0,8]") +
                "}",
            8, "list of sizes"},
           {"{" +
                tensor("a", "\"F32\"",
                       "[4611686018427387903,4611686018427387903]", "[0,8]") +
                "}",
            8, "too large"},
           {"{" + sound + "," + tensor("b", "\"F32\"", "[1]", "[4,8]") + "}", 8,
            "overlap"},
           {"{" + sound + "," + tensor("b", "\"F32\"", "[1]", "[12,16]") + "}",
            16, "gap"},
           {"{" + tensor("a", "\"F32\"", "[2]", "[4,12]") + "}", 12, "gap"},
           {"{\"__metadata__\":[]," + sound + "}", 8, "not an object"},
           {"{\"__metadata__\":{\"k\":1}," + sound + "}", 8, "not a text"},
           {"{\"a\":[[[[[[[[[[]]]]]]]]]]}", 0, "nested"}}) {
    absl::StatusOr<SafetensorsFile> file =
        parse(framed(fault.header, fault.dataBytes));
    ASSERT_FALSE(file.ok()) << fault.header;
    EXPECT_EQ(file.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_NE(file.status().message().find(fault.word), std::string::npos)
        << "no '" << fault.word << "' in: " << file.status().message();
    EXPECT_NE(file.status().message().find("toy.safetensors"),
              std::string::npos);
  }
}

TEST(Safetensors, LimitsTheHeader) {
  std::string bytes = framed("{}", 0);
  bytes[6] = 1;
  absl::StatusOr<SafetensorsFile> file = parse(bytes);
  EXPECT_NE(file.status().message().find("exceeds the limit"),
            std::string::npos);
  bytes[6] = 0;
  bytes[0] = 100;
  EXPECT_NE(parse(bytes).status().message().find("truncated"),
            std::string::npos);
}

TEST(Safetensors, FindsEveryTruncation) {
  std::string path = freshFolder("truncation") + "/a.safetensors";
  ASSERT_TRUE(
      writeSafetensors(path, {{"a", "F32", {3}, bytesOf({1, 2, 3})}}, {}).ok());
  std::string bytes = readBytes(path);
  ASSERT_GT(bytes.size(), 70u);
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_EQ(parse(bytes.substr(0, length)).status().code(),
              absl::StatusCode::kDataLoss)
        << length;
}

TEST(Safetensors, SaysThatAFileIsMissingOrAFolder) {
  EXPECT_EQ(SafetensorsFile::open("/nowhere.safetensors").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(SafetensorsFile::open("/tmp").status().code(),
            absl::StatusCode::kInvalidArgument);
}

} // namespace
} // namespace orrery::runtime
