// Damaged checkpoints: found before training starts, with what is wrong, where,
// and what to fall back to.
#include "runtime/checkpoint/Safetensors.h"
#include "test/runtime/checkpoint/ToyRun.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

namespace orrery::runtime {
namespace {

using test::freshFolder;
using test::readBytes;
using test::ToyRun;
using test::writeBytes;

class Damage : public ::testing::Test {
protected:
  void SetUp() override {
    run.start();
    folder = freshFolder("damage");
    ASSERT_TRUE(run.save(folder, test::toyState(10)).ok());
    ASSERT_TRUE(run.save(folder, test::toyState(20)).ok());
  }

  std::string path(const std::string &name) const {
    return folder + "/step_00000020/" + name;
  }

  /// Loading fails, says where, names step 10 and leaves the arena alone.
  void expectRefused(const std::string &word,
                     absl::StatusCode code = absl::StatusCode::kDataLoss) {
    std::vector<std::byte> before(
        run.arena(0), run.arena(0) + run.rank(0).member->arena_bytes());
    absl::Status status = run.load(folder).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_NE(status.message().find(word), std::string::npos) << status;
    EXPECT_NE(status.message().find(folder + "/step_00000010"),
              std::string::npos)
        << status;
    EXPECT_EQ(std::memcmp(before.data(), run.arena(0), before.size()), 0);
    EXPECT_EQ(run.load(folder + "/step_00000010")->state.step, 10);
  }

  ToyRun run{test::ToyLayout{.pp = 2, .tp = 2}};
  std::string folder;
};

TEST_F(Damage, MissingRankFile) {
  std::filesystem::remove(path("rank_00002.safetensors"));
  expectRefused("rank_00002.safetensors' is missing");
}

TEST_F(Damage, EveryMissingFileIsListed) {
  std::filesystem::remove(path("rank_00001.safetensors"));
  std::filesystem::remove(path("rank_00002.safetensors"));
  expectRefused("rank_00001.safetensors' is missing");
  expectRefused("rank_00002.safetensors' is missing");
}

TEST_F(Damage, TruncatedRankFile) {
  std::string name = path("rank_00000.safetensors");
  std::string bytes = readBytes(name);
  for (size_t length : {size_t{0}, size_t{7}, size_t{100}, bytes.size() - 1}) {
    writeBytes(name, bytes.substr(0, length));
    expectRefused("rank_00000.safetensors");
  }
}

TEST_F(Damage, FlippedBitInAnyPartOfAFile) {
  std::string name = path("rank_00000.safetensors");
  std::string bytes = readBytes(name);
  for (size_t at = 0; at < bytes.size(); at += 61) {
    std::string damaged = bytes;
    damaged[at] ^= static_cast<char>(1 << at % 8);
    writeBytes(name, damaged);
    // Some rank reads every byte of every file.
    absl::Status status = run.load(folder).status();
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << "byte " << at;
    EXPECT_NE(status.message().find("rank_00000.safetensors"),
              std::string::npos);
  }
}

TEST_F(Damage, FlippedBitOfATensorNamesIt) {
  std::string name = path("rank_00000.safetensors");
  std::string bytes = readBytes(name);
  size_t data;
  {
    absl::StatusOr<SafetensorsFile> file = SafetensorsFile::open(name);
    const TensorEntry *entry =
        file->find("optimizer.exp_avg_sq.layers.1.column");
    ASSERT_NE(entry, nullptr);
    data = bytes.size() - file->tensors().back().end + entry->begin;
  }
  bytes[data + 5] ^= 16;
  writeBytes(name, bytes);
  expectRefused("tensor 'optimizer.exp_avg_sq.layers.1.column' is damaged");
}

TEST_F(Damage, FileOfAnotherCheckpoint) {
  ToyRun other({.pp = 2, .tp = 2, .hidden = 16});
  other.start();
  std::string elsewhere = freshFolder("elsewhere");
  ASSERT_TRUE(other.save(elsewhere, test::toyState(20)).ok());
  std::filesystem::copy_file(elsewhere +
                                 "/step_00000020/rank_00001.safetensors",
                             path("rank_00001.safetensors"),
                             std::filesystem::copy_options::overwrite_existing);
  expectRefused("the manifest says");
}

TEST_F(Damage, ManifestMissing) {
  std::filesystem::remove(path("manifest.json"));
  absl::Status status = run.load(folder).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("not a whole checkpoint"), std::string::npos)
      << status;
  EXPECT_NE(status.message().find("step_00000010"), std::string::npos);
  status = run.load(folder + "/step_00000020").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find(folder + "/step_00000010"), std::string::npos)
      << status;
}

TEST_F(Damage, ManifestDamaged) {
  std::string text = readBytes(path("manifest.json"));
  size_t at = text.find("\"consumed_train_samples\": 320");
  ASSERT_NE(at, std::string::npos);
  text[at + 26] = '4';
  writeBytes(path("manifest.json"), text);
  expectRefused("checksum expected");
}

TEST_F(Damage, ManifestTruncated) {
  std::string text = readBytes(path("manifest.json"));
  writeBytes(path("manifest.json"), text.substr(0, text.size() / 2));
  expectRefused("manifest.json");
}

TEST_F(Damage, LatestNamesNothing) {
  for (const char *text : {"", "step_00000030\n", "../elsewhere\n", "\1\2"}) {
    writeBytes(folder + "/latest", text);
    absl::Status status = run.load(folder).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_NE(status.message().find("step_00000020"), std::string::npos)
        << status;
  }
}

} // namespace
} // namespace orrery::runtime
