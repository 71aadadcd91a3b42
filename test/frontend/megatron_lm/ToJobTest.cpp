// Values that are worked out on the way into the job description.
#include "test/frontend/megatron_lm/CommandLine.h"

#include <gtest/gtest.h>

using namespace orrery;
using namespace orrery::frontend::megatron;

static job::JobSpec jobOf(const std::string &line, int64_t worldSize = 8) {
  ParseResult result = test::parseLine(line, worldSize);
  EXPECT_EQ(job::format(result.errors), "") << line;
  return result.job;
}

static job::JobSpec jobWith(const std::string &extra) {
  return jobOf(std::string(test::kModel) + test::kLayout + test::kSteps +
               extra);
}

static job::JobSpec jobInSamples(const std::string &extra) {
  return jobOf(std::string(test::kModel) + test::kLayout + test::kSamples +
               extra);
}

TEST(ToJob, CountsTheLearningRateInSamples) {
  job::Train train = jobWith("").train();
  EXPECT_EQ(train.lr_decay_samples(), 1600);
  EXPECT_EQ(train.lr_warmup_samples(), 0);
  EXPECT_EQ(train.train_iters(), 100);
  EXPECT_EQ(train.train_samples(), 0);
  train = jobWith("--lr-decay-iters 50 --lr-warmup-iters 5").train();
  EXPECT_EQ(train.lr_decay_samples(), 800);
  EXPECT_EQ(train.lr_warmup_samples(), 80);
  train = jobWith("--lr-decay-iters 50 --lr-warmup-fraction .013").train();
  EXPECT_EQ(train.lr_warmup_samples(), .013 * 800);
  train = jobInSamples("").train();
  EXPECT_EQ(train.lr_decay_samples(), 1600);
  EXPECT_EQ(train.train_iters(), 100);
  EXPECT_EQ(train.train_samples(), 1600);
  train = jobInSamples("--lr-decay-samples 900 --lr-warmup-samples 33").train();
  EXPECT_EQ(train.lr_decay_samples(), 900);
  EXPECT_EQ(train.lr_warmup_samples(), 33);
  train = jobInSamples("--lr-warmup-fraction .25").train();
  EXPECT_EQ(train.lr_warmup_samples(), 400);
}

/// The 175-billion-parameter example on 1,024 ranks.
TEST(ToJob, ResolvesGpt3) {
  job::JobSpec job = jobOf(
      "--tensor-model-parallel-size 8 --pipeline-model-parallel-size 16 "
      "--num-layers 96 --hidden-size 12288 --num-attention-heads 96 "
      "--seq-length 2048 --max-position-embeddings 2048 --micro-batch-size 1 "
      "--global-batch-size 1536 --rampup-batch-size 16 16 5859375 "
      "--train-samples 146484375 --lr-decay-samples 126953125 "
      "--lr-warmup-samples 183105 --lr 6.0e-5 --min-lr 6.0e-6 "
      "--lr-decay-style cosine --log-interval 10 --eval-iters 40 "
      "--eval-interval 1000 --data-path 0.2 a 0.3 b 0.5 c --save-interval "
      "1000 --save s --load s --split 98,2,0 --clip-grad 1.0 --weight-decay "
      "0.1 --adam-beta1 0.9 --adam-beta2 0.95 --init-method-std 0.006 "
      "--tensorboard-dir t --fp16 --checkpoint-activations",
      1024);
  EXPECT_EQ(job.parallel().data(), 8);
  EXPECT_EQ(job.parallel().recompute_layers(), 1);
  EXPECT_EQ(job.parallel().ramp_up().increment(), 16);
  EXPECT_EQ(job.model().padded_vocab_size(), 51200);
  EXPECT_EQ(job.model().ffn_hidden_size(), 49152);
  EXPECT_EQ(job.model().kv_channels(), 128);
  EXPECT_EQ(job.model().dtype(), job::FLOAT16);
  EXPECT_EQ(job.train().train_iters(), 111354);
  EXPECT_EQ(job.train().lr_warmup_samples(), 183105);
  ASSERT_EQ(job.data().sources_size(), 3);
  EXPECT_EQ(job.data().sources(1).weight(), 0.3);
  EXPECT_EQ(job.data().sources(2).prefix(), "c");
}

TEST(ToJob, ChoosesTheActivationAsTheOriginalComputesIt) {
  auto activation = [](const std::string &extra) {
    return jobWith(extra).model().activation();
  };
  EXPECT_EQ(activation(""), job::Model::GELU_TANH);
  EXPECT_EQ(activation("--openai-gelu"), job::Model::GELU_TANH);
  EXPECT_EQ(activation("--no-bias-gelu-fusion"), job::Model::GELU_ERF);
  EXPECT_EQ(activation("--no-bias-gelu-fusion --openai-gelu"),
            job::Model::GELU_TANH);
}

TEST(ToJob, ReadsLaterSpellingsOfRecomputation) {
  EXPECT_EQ(jobWith("--checkpoint-num-layers 2").parallel().recompute_layers(),
            0);
  EXPECT_EQ(jobWith("--checkpoint-activations --checkpoint-num-layers 2")
                .parallel()
                .recompute_layers(),
            2);
  EXPECT_EQ(jobWith("--recompute-granularity full --recompute-method uniform "
                    "--recompute-num-layers 4")
                .parallel()
                .recompute_layers(),
            4);
  EXPECT_EQ(jobWith("--recompute-granularity selective")
                .parallel()
                .recompute_layers(),
            0);
}

TEST(ToJob, TurnsSequenceParallelismOffOnOneTensorRank) {
  EXPECT_TRUE(jobWith("--sequence-parallel").parallel().sequence_parallel());
  EXPECT_FALSE(jobWith("--sequence-parallel --tensor-model-parallel-size 1")
                   .parallel()
                   .sequence_parallel());
}

TEST(ToJob, TakesANegativeClipForNoClip) {
  EXPECT_EQ(jobWith("--clip-grad -1.0").train().clip_grad(), 0);
}

TEST(ToJob, IgnoresALossScaleInFloat32) {
  EXPECT_EQ(jobWith("--loss-scale 8").train().constant_loss_scale(), 0);
  EXPECT_EQ(jobWith("--bf16 --loss-scale 8").train().constant_loss_scale(), 8);
  EXPECT_EQ(jobWith("--fp16 --loss-scale 0").train().constant_loss_scale(), 0);
}

/// A ramp-up stage that the run never reaches may be anything.
TEST(ToJob, ChecksOnlyReachedStagesOfTheRampUp) {
  std::string line = std::string(test::kModel) + test::kLayout +
                     "--lr 0.001 --rampup-batch-size 4 6 160 ";
  EXPECT_FALSE(test::parseLine(line + "--train-samples 1600").ok());
  // The ramp is 29 iterations and 170 samples long; (16 - 170) / 16 = -10.
  job::JobSpec job = jobOf(line + "--train-samples 16");
  EXPECT_EQ(job.train().train_iters(), 19);
}
