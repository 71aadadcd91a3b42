// Microbatches against those that the original fed to its model.
#include "runtime/data/Batch.h"

#include "runtime/data/IndexedDatasetWriter.h"
#include "test/runtime/data/RecordedArray.h"

#include <filesystem>
#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

using test::readNpz;
using test::recorded;
using test::RecordedArray;

/// The job of the recorded runs m1 and m9: s 64, b 2, global batch 8, 30 steps.
job::JobSpec recordedJob(const std::string &prefix, const std::string &split) {
  job::JobSpec job;
  job.mutable_model()->set_seq_length(64);
  job.mutable_model()->set_vocab_size(257);
  job.mutable_parallel()->set_data(1);
  job.mutable_parallel()->set_micro_batch_size(2);
  job.mutable_parallel()->set_global_batch_size(8);
  job.mutable_train()->set_train_iters(30);
  job.mutable_train()->set_seed(1234);
  job.mutable_runtime()->set_eval_interval(10);
  job.mutable_runtime()->set_eval_iters(2);
  job.mutable_data()->set_split(split);
  job.mutable_data()->set_eod_token(256);
  job.mutable_data()->add_sources()->set_prefix(prefix);
  return job;
}

job::JobSpec shortDocumentsJob() {
  job::JobSpec job = recordedJob(recorded("gpt/lines_text_document"), "94,3,3");
  job.mutable_model()->set_reset_position_ids(true);
  job.mutable_model()->set_reset_attention_mask(true);
  job.mutable_model()->set_eod_mask_loss(true);
  return job;
}

/// Compares all 120 microbatches of the run with its recorded `text`.
void compareTokens(const job::JobSpec &job, const RecordedArray &text) {
  auto source = BatchSource::open(job, Split::Train, 0);
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_EQ(text.shape, (std::vector<int64_t>{120, 2, 65}));
  Batch batch;
  for (int64_t n = 0; n < 120; ++n) {
    ASSERT_TRUE(source->fill(n / 4 * 8, n % 4, batch).ok());
    for (int64_t k = 0; k < 2; ++k)
      for (int64_t i = 0; i < 64; ++i) {
        const int64_t at = (n * 2 + k) * 65 + i;
        ASSERT_EQ(batch.tokens[i * 2 + k], text.integers[at]);
        ASSERT_EQ(batch.labels[i * 2 + k], text.integers[at + 1]);
      }
  }
}

TEST(BatchSource, GivesTheRecordedTokensOfShortDocuments) {
  compareTokens(shortDocumentsJob(),
                readNpz(recorded("m9/batches.npz"))["text"]);
}

TEST(BatchSource, GivesTheRecordedTokensOfTheDefaultRun) {
  ORRERY_NEEDS_SHARED();
  const std::string runs = test::sharedFolder() + "/golden/megatron_lm/";
  compareTokens(recordedJob(runs + "data/gpt/corpus_text_document", "90,5,5"),
                readNpz(runs + "m1/batches.npz")["text"]);
}

TEST(BatchSource, GivesTheRecordedMasksAndPositions) {
  auto masks = readNpz(recorded("m9/masks.npz"));
  const auto &loss = masks["loss_mask"].integers;
  const auto &positions = masks["position_ids"].integers;
  const auto &attention = masks["attention_mask_first_microbatches"].integers;
  auto source = BatchSource::open(shortDocumentsJob(), Split::Train, 0);
  ASSERT_TRUE(source.ok()) << source.status();
  Batch batch;
  for (int64_t n = 0; n < 120; ++n) {
    ASSERT_TRUE(source->fill(n / 4 * 8, n % 4, batch).ok());
    for (int64_t k = 0; k < 2; ++k)
      for (int64_t i = 0; i < 64; ++i) {
        const int64_t at = (n * 2 + k) * 64 + i;
        ASSERT_EQ(batch.lossMask[i * 2 + k], loss[at]);
        ASSERT_EQ(batch.positionIds[i * 2 + k], positions[at]);
        for (int64_t key = 0; n < 8 && key < 64; ++key) {
          const bool masked = key > i || key < batch.documentStart[i * 2 + k];
          ASSERT_EQ(masked, attention[at * 64 + key] != 0) << i << " " << key;
        }
      }
  }
}

TEST(BatchSource, KeepsPlainPositionsAndMasksWithoutTheFlags) {
  auto source = BatchSource::open(
      recordedJob(recorded("gpt/lines_text_document"), "94,3,3"), Split::Train,
      0);
  ASSERT_TRUE(source.ok());
  Batch batch;
  ASSERT_TRUE(source->fill(0, 0, batch).ok());
  for (int64_t at = 0; at < source->elements(); ++at) {
    EXPECT_EQ(batch.positionIds[at], at / 2);
    EXPECT_EQ(batch.documentStart[at], 0);
    EXPECT_EQ(batch.lossMask[at], 1.0f);
  }
}

// Microbatch j of rank r among d ranks is microbatch j*d + r of one rank.
TEST(BatchSource, DealsTheSameSamplesToAnyNumberOfReplicas) {
  job::JobSpec job = shortDocumentsJob();
  auto alone = BatchSource::open(job, Split::Train, 0);
  ASSERT_TRUE(alone.ok());
  job.mutable_parallel()->set_data(2);
  for (int rank = 0; rank < 2; ++rank) {
    auto source = BatchSource::open(job, Split::Train, rank);
    ASSERT_TRUE(source.ok());
    Batch got, want;
    for (int64_t j = 0; j < 2; ++j) {
      ASSERT_TRUE(source->fill(16, j, got).ok());
      ASSERT_TRUE(alone->fill(16, 2 * j + rank, want).ok());
      EXPECT_EQ(got.tokens, want.tokens);
    }
  }
}

TEST(BatchSource, ServesValidationAndTestForAWholeRun) {
  const job::JobSpec job = shortDocumentsJob();
  EXPECT_EQ(samplesWanted(job, Split::Train), 240);
  EXPECT_EQ(samplesWanted(job, Split::Valid), 64);
  EXPECT_EQ(samplesWanted(job, Split::Test), 16);
  EXPECT_EQ(validationSamplesConsumed(job, 25), 32);
  for (Split split : {Split::Valid, Split::Test}) {
    auto source = BatchSource::open(job, split, 0);
    ASSERT_TRUE(source.ok()) << source.status();
    Batch batch;
    const int64_t wanted = samplesWanted(job, split);
    EXPECT_TRUE(source->fill(wanted - 8, 3, batch).ok());
    EXPECT_EQ(source->fill(source->size(), 0, batch).code(),
              absl::StatusCode::kOutOfRange);
  }
}

TEST(BatchSource, IsEmptyWhereTheSplitIsEmpty) {
  job::JobSpec job = shortDocumentsJob();
  job.mutable_data()->set_split("100,0,0");
  auto valid = BatchSource::open(job, Split::Valid, 0);
  ASSERT_TRUE(valid.ok()) << valid.status();
  EXPECT_TRUE(valid->empty());
  Batch batch;
  EXPECT_EQ(valid->fill(0, 0, batch).code(),
            absl::StatusCode::kFailedPrecondition);
  job.mutable_data()->set_split("0,1,1");
  auto train = BatchSource::open(job, Split::Train, 0);
  EXPECT_NE(train.status().message().find("no document to train on"),
            std::string::npos)
      << train.status();
}

/// Samples of the short documents that a run asks for with weight `share`.
GptDataset shareOfShortDocuments(double share) {
  auto file = std::make_shared<IndexedDataset>(
      *IndexedDataset::open(recorded("gpt/lines_text_document")));
  GptIndexMaps::Request request;
  request.lastDocument = 93;
  request.sequenceLength = 64;
  request.samples = blendTarget(240, share);
  request.seed = 1234;
  return *GptDataset::open(file, request, 257);
}

TEST(BatchSource, DrawsEverySampleFromTheSourceThatTheBlendChooses) {
  job::JobSpec job = shortDocumentsJob();
  job.mutable_data()->clear_sources();
  for (double weight : {1.0, 3.0}) {
    auto *added = job.mutable_data()->add_sources();
    added->set_weight(weight);
    added->set_prefix(recorded("gpt/lines_text_document"));
  }
  auto source = BatchSource::open(job, Split::Train, 0);
  ASSERT_TRUE(source.ok()) << source.status();
  const GptDataset parts[] = {shareOfShortDocuments(0.25),
                              shareOfShortDocuments(0.75)};
  ASSERT_EQ(source->size(), parts[0].size() + parts[1].size());
  auto blend = Blend::build(std::vector<double>{1, 3}, source->size());
  ASSERT_TRUE(blend.ok());
  Batch batch;
  std::vector<int64_t> want(65);
  for (int64_t sample = 0; sample < 240; ++sample) {
    ASSERT_TRUE(source->fill(sample / 8 * 8, sample % 8 / 2, batch).ok());
    const Blend::Choice choice = blend->at(sample);
    ASSERT_TRUE(parts[choice.dataset].sample(choice.sample, want).ok());
    for (int64_t i = 0; i < 64; ++i)
      ASSERT_EQ(batch.tokens[i * 2 + sample % 2], want[i]) << sample;
  }
}

// One document leaves nothing to validate on: the other source serves alone.
TEST(BatchSource, LeavesSourcesWithAnEmptySplitOutOfTheBlend) {
  const std::string prefix = std::filesystem::temp_directory_path() /
                             ("orrery-one-" + std::to_string(getpid()));
  auto writer = IndexedDatasetWriter::create(prefix, TokenType::U16);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE(writer->addItem(std::vector<int64_t>(100, 'x')).ok());
  ASSERT_TRUE(writer->endDocument().ok() && writer->finish().ok());
  job::JobSpec job = shortDocumentsJob();
  job.mutable_data()->mutable_sources(0)->set_weight(0.5);
  auto *added = job.mutable_data()->add_sources();
  added->set_weight(0.5);
  added->set_prefix(prefix);
  auto source = BatchSource::open(job, Split::Valid, 0);
  std::filesystem::remove(prefix + ".bin");
  std::filesystem::remove(prefix + ".idx");
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_GE(source->size(), blendTarget(64, 0.5));
  Batch batch;
  for (int64_t consumed = 0; consumed < 32; consumed += 8) {
    ASSERT_TRUE(source->fill(consumed, 3, batch).ok());
    EXPECT_NE(batch.tokens, std::vector<int32_t>(128, 'x'));
  }
}

TEST(BatchSource, NamesTheTokenThatIsNotInTheVocabulary) {
  job::JobSpec job = shortDocumentsJob();
  job.mutable_model()->set_vocab_size(256); // the end of document is 256
  auto source = BatchSource::open(job, Split::Train, 0);
  ASSERT_TRUE(source.ok());
  Batch batch;
  const absl::Status status = source->fill(0, 0, batch);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const char *part : {"train data", "lines_text_document.bin", "document",
                           "position", "token 256", "of 256 tokens"})
    EXPECT_NE(status.message().find(part), std::string::npos) << status;
}

TEST(BatchSource, NeedsTheEndOfDocumentTokenForTheFlags) {
  job::JobSpec job = shortDocumentsJob();
  job.mutable_data()->set_eod_token(-1);
  EXPECT_EQ(BatchSource::open(job, Split::Train, 0).status().code(),
            absl::StatusCode::kInvalidArgument);
}

} // namespace
} // namespace orrery::runtime
