// Index maps against those that the original built.
#include "runtime/data/GptIndexMaps.h"

#include "runtime/data/IndexedDataset.h"
#include "runtime/data/Mt19937.h"
#include "test/runtime/data/RecordedArray.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

using test::readJson;
using test::readNpy;
using test::readNpz;
using test::recorded;
using test::RecordedArray;

GptIndexMaps::Request request(int64_t first, int64_t last, int64_t sequence,
                              int64_t samples, uint64_t seed) {
  GptIndexMaps::Request r;
  r.firstDocument = first;
  r.lastDocument = last;
  r.sequenceLength = sequence;
  r.samples = samples;
  r.seed = seed;
  return r;
}

GptIndexMaps::DocumentSize sizesOf(std::vector<int64_t> sizes) {
  return [sizes](int64_t document) { return sizes[document]; };
}

void expectEqual(const GptIndexMaps &maps, const RecordedArray &documents,
                 const RecordedArray &samples, const RecordedArray &shuffle) {
  ASSERT_EQ(maps.numPlaces(), documents.count());
  for (int64_t i = 0; i < maps.numPlaces(); ++i)
    ASSERT_EQ(maps.document(i), documents.integers[i]) << "place " << i;
  ASSERT_EQ(maps.numSamples() + 1, samples.shape[0]);
  for (int64_t i = 0; i <= maps.numSamples(); ++i) {
    const SamplePosition want = {samples.integers[2 * i],
                                 samples.integers[2 * i + 1]};
    ASSERT_EQ(maps.start(i), want) << "sample " << i;
  }
  ASSERT_EQ(maps.numSamples(), shuffle.count());
  for (int64_t i = 0; i < maps.numSamples(); ++i)
    ASSERT_EQ(maps.shuffled(i), shuffle.integers[i]) << "sample " << i;
}

TEST(GptIndexMaps, EqualTheRecordedMaps) {
  int compared = 0;
  for (const auto &entry : readJson(recorded("indexmaps/gpt_manifest.json"))) {
    if (entry.contains("error"))
      continue;
    const std::string name = entry["name"];
    SCOPED_TRACE(name);
    auto arrays = readNpz(recorded("indexmaps/gpt_" + name + ".npz"));
    auto maps = GptIndexMaps::build(
        request(entry["documents"][0], entry["documents"][1],
                entry["seq_length"], entry["num_samples"], entry["seed"]),
        sizesOf(arrays["sizes"].integers));
    ASSERT_TRUE(maps.ok()) << maps.status();
    EXPECT_EQ(maps->numEpochs(), entry["num_epochs"]);
    if (entry["separate_last_epoch"].is_boolean()) {
      EXPECT_EQ(maps->separateLastEpoch(), entry["separate_last_epoch"]);
    }
    expectEqual(*maps, arrays["doc_idx"], arrays["sample_idx"],
                arrays["shuffle_idx"]);
    ++compared;
  }
  EXPECT_EQ(compared, 13);
}

// Where the original raises an assertion the last epoch joins the others.
TEST(GptIndexMaps, GoOnWhereTheOriginalAsserts) {
  int handled = 0;
  for (const auto &entry : readJson(recorded("indexmaps/gpt_manifest.json"))) {
    if (!entry.contains("error"))
      continue;
    SCOPED_TRACE(entry["name"].get<std::string>());
    const std::vector<int64_t> sizes = entry["sizes"];
    const int64_t s = entry["seq_length"];
    auto maps = GptIndexMaps::build(
        request(0, sizes.size(), s, entry["num_samples"], entry["seed"]),
        sizesOf(sizes));
    ASSERT_TRUE(maps.ok()) << maps.status();
    EXPECT_EQ(maps->numEpochs(), entry["num_epochs"]);
    EXPECT_FALSE(maps->separateLastEpoch());
    EXPECT_GE(maps->numSamples(), entry["num_samples"].get<int64_t>());
    // Every sample occurs once and its tokens exist.
    std::vector<bool> seen(maps->numSamples());
    for (int64_t i = 0; i < maps->numSamples(); ++i)
      seen[maps->shuffled(i)] = true;
    EXPECT_EQ(std::ranges::count(seen, true), maps->numSamples());
    const SamplePosition end = maps->start(maps->numSamples());
    ASSERT_LT(end.place, maps->numPlaces());
    EXPECT_LT(end.offset, sizes[maps->document(end.place)]);
    ++handled;
  }
  EXPECT_EQ(handled, 3);
}

void compareRun(const std::string &prefix, const std::string &maps,
                int64_t first, int64_t last, int64_t samples) {
  SCOPED_TRACE(maps);
  auto file = IndexedDataset::open(prefix);
  ASSERT_TRUE(file.ok()) << file.status();
  auto built = GptIndexMaps::build(
      request(first, last, 64, samples, 1234),
      [&](int64_t document) { return file->size(document); });
  ASSERT_TRUE(built.ok()) << built.status();
  expectEqual(*built, readNpy(maps + "_doc_idx.npy"),
              readNpy(maps + "_sample_idx.npy"),
              readNpy(maps + "_shuffle_idx.npy"));
}

TEST(GptIndexMaps, EqualThoseOfARecordedRunOverThreeEpochs) {
  const std::string base = recorded("m9/indexmaps/lines_text_document_");
  const std::string data = recorded("gpt/lines_text_document");
  compareRun(data, base + "train_indexmap_240ns_64sl_1234s", 0, 93, 240);
  compareRun(data, base + "valid_indexmap_64ns_64sl_1234s", 93, 96, 64);
  compareRun(data, base + "test_indexmap_16ns_64sl_1234s", 96, 99, 16);
}

TEST(GptIndexMaps, EqualThoseOfTheRecordedDefaultRun) {
  ORRERY_NEEDS_SHARED();
  const std::string runs = test::sharedFolder() + "/golden/megatron_lm/";
  const std::string base = runs + "m1/indexmaps/corpus_text_document_";
  const std::string data = runs + "data/gpt/corpus_text_document";
  compareRun(data, base + "train_indexmap_240ns_64sl_1234s", 0, 713, 240);
  compareRun(data, base + "valid_indexmap_64ns_64sl_1234s", 713, 753, 64);
  compareRun(data, base + "test_indexmap_16ns_64sl_1234s", 753, 793, 16);
}

TEST(GptIndexMaps, RefuseDocumentsWithoutTokens) {
  auto maps = GptIndexMaps::build(request(0, 3, 4, 5, 1), sizesOf({0, 0, 0}));
  EXPECT_EQ(maps.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(maps.status().message().find("no tokens"), std::string::npos);
}

TEST(GptIndexMaps, RefuseSeedsOfMoreThan32Bits) {
  auto maps =
      GptIndexMaps::build(request(0, 1, 4, 5, uint64_t{1} << 32), sizesOf({9}));
  EXPECT_EQ(maps.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(GptIndexMaps, RefuseMoreEpochsThanTheMapsCanHold) {
  auto maps =
      GptIndexMaps::build(request(0, 1, 4096, 1 << 30, 1), sizesOf({1}));
  EXPECT_EQ(maps.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(GptIndexMaps, PassOverEmptyDocuments) {
  auto maps =
      GptIndexMaps::build(request(0, 4, 2, 2, 3), sizesOf({0, 5, 0, 1}));
  ASSERT_TRUE(maps.ok()) << maps.status();
  EXPECT_EQ(maps->numSamples(), 2);
  for (int64_t i = 0; i <= 2; ++i)
    EXPECT_GT(sizesOf({0, 5, 0, 1})(maps->document(maps->start(i).place)),
              i == 0 ? -1 : 0);
}

// RandomState(1234).permutation(10) and RandomState(0).permutation(10).
TEST(NumpyRandom, ShufflesAsRandomState) {
  std::vector<int32_t> values = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  NumpyRandom(1234).shuffle(std::span<int32_t>(values));
  EXPECT_EQ(values, (std::vector<int32_t>{7, 2, 9, 1, 0, 8, 4, 5, 6, 3}));
  std::ranges::sort(values);
  NumpyRandom(0).shuffle(std::span<int32_t>(values));
  EXPECT_EQ(values, (std::vector<int32_t>{2, 8, 4, 9, 1, 6, 7, 3, 0, 5}));
}

} // namespace
} // namespace orrery::runtime
