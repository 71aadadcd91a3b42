// Malformed command lines: each error names the option, its value, the limit
// and the nearest legal choice.
#include "test/frontend/megatron_lm/CommandLine.h"

#include <gtest/gtest.h>

using namespace orrery;
using namespace orrery::frontend::megatron;

namespace {

struct Case {
  const char *extra;               // after the legal command line
  std::vector<const char *> words; // parts of the one error
};

} // namespace

/// Each line must give exactly one error that has all the words.
static void expectFaults(const std::vector<Case> &cases,
                         const std::string &base) {
  for (const Case &entry : cases) {
    ParseResult result = test::parseLine(base + entry.extra);
    std::string text = job::format(result.errors);
    EXPECT_EQ(result.errors.size(), 1u) << entry.extra << "\n" << text;
    for (const char *word : entry.words)
      EXPECT_NE(text.find(word), std::string::npos)
          << "'" << word << "' in: " << text;
  }
}

static std::string steps() {
  return std::string(test::kModel) + test::kLayout + test::kSteps;
}
static std::string samples() {
  return std::string(test::kModel) + test::kLayout + test::kSamples;
}

TEST(Malformed, TheBasesAreLegal) {
  EXPECT_EQ(job::format(test::parseLine(steps()).errors), "");
  EXPECT_EQ(job::format(test::parseLine(samples()).errors), "");
}

TEST(Malformed, Words) {
  expectFaults(
      {
          {"--hidden-sise 64",
           {"argument 25", "--hidden-sise", "--hidden-size"}},
          {"--num_layers 8", {"no such option", "--num-layers"}},
          {"--num-layer 8", {"no such option", "--num-layers"}},
          {"--log-learning-rate", {"no such option"}},
          {"--seed eight", {"--seed", "'eight'", "whole number"}},
          {"--seed 1e3", {"'1e3'", "nearest legal choice: 1000"}},
          {"--seed 1.5", {"'1.5'", "whole number"}},
          {"--seed 99999999999999999999", {"--seed", "64 bits"}},
          {"--seed", {"--seed", "needs a value"}},
          {"--min-lr -1e-4", {"--min-lr -1e-4", "--min-lr=-1e-4"}},
          {"--clip-grad 1.0x", {"--clip-grad", "'1.0x'", "not a number"}},
          {"--fp16=1", {"--fp16 1", "takes no value"}},
          {"--lr-decay-style exponential",
           {"'exponential'", "constant, linear, cosine"}},
          {"--optimizer adma", {"'adma'", "nearest legal choice: adam"}},
          {"stray", {"argument 25", "'stray'", "belongs to no option"}},
          {"--", {"'--'", "ends the options"}},
          {"--help", {"--explain"}},
          {"--retriever-report-topk-accuracies", {"at least one value"}},
      },
      steps());
}

TEST(Malformed, ParallelSizes) {
  expectFaults(
      {
          {"--tensor-model-parallel-size 16",
           {"argument 25", "--tensor-model-parallel-size 16",
            "larger than the world size 8", "nearest legal choice: 4"}},
          {"--tensor-model-parallel-size 3",
           {"does not divide the world size 8", "nearest legal choice: 2"}},
          {"--tensor-model-parallel-size 0", {"at least 1", "choice: 1"}},
          {"--tensor-model-parallel-size -2", {"at least 1", "choice: 1"}},
          {"--pipeline-model-parallel-size 8",
           {"--pipeline-model-parallel-size 8", "larger than the 4 ranks",
            "nearest legal choice: 4"}},
          {"--pipeline-model-parallel-size 3",
           {"does not divide the 4 ranks", "nearest legal choice: 2"}},
          {"--pipeline-model-parallel-size 0", {"at least 1", "choice: 1"}},
          {"--num-layers 7",
           {"--num-layers 7", "2 pipeline parts", "nearest legal choice: 6"}},
          {"--num-attention-heads 5 --kv-channels 16",
           {"--num-attention-heads 5", "tensor-parallel size 2", "choice: 4"}},
          {"--ffn-hidden-size 255",
           {"--ffn-hidden-size 255", "tensor-parallel size 2", "choice: 254"}},
          {"--sequence-parallel --seq-length 31",
           {"--seq-length 31", "sequence parallelism", "choice: 30"}},
          {"--batch-size 4", {"--batch-size 4", "--micro-batch-size"}},
          {"--model-parallel-size 2", {"--tensor-model-parallel-size"}},
          {"--DDP-impl torch", {"--DDP-impl torch", "pipeline", "local"}},
          {"--checkpoint-activations --distribute-checkpointed-activations",
           {"--distribute-checkpointed-activations", "wrong gradients"}},
          {"--checkpoint-activations --checkpoint-num-layers 3",
           {"--checkpoint-num-layers 3", "4 layers of a stage", "choice: 2"}},
          {"--checkpoint-activations --checkpoint-num-layers 0",
           {"--checkpoint-num-layers 0", "nearest legal choice: 1"}},
          {"--norm-epsilon 1e-6 --layernorm-epsilon 1e-5",
           {"--layernorm-epsilon 1e-5", "another name of --norm-epsilon"}},
          {"--checkpoint-activations --checkpoint-num-layers 2 "
           "--recompute-num-layers 2",
           {"--recompute-num-layers 2", "another name"}},
          {"--recompute-granularity full --recompute-method block",
           {"--recompute-method block", "uniform"}},
          {"--lazy-mpu-init False",
           {"--lazy-mpu-init False", "switches it on"}},
      },
      steps());
}

TEST(Malformed, InterleavingIsRefusedAndItsOwnRuleIsTold) {
  ParseResult result = test::parseWith(
      "--tensor-model-parallel-size 1 --pipeline-model-parallel-size 4 "
      "--num-layers 20 --num-layers-per-virtual-pipeline-stage 2");
  std::string text = job::format(result.errors);
  EXPECT_EQ(result.errors.size(), 2u) << text;
  EXPECT_NE(text.find("not supported yet"), std::string::npos) << text;
  EXPECT_NE(text.find("does not divide the 20 layers over 4 stages evenly; "
                      "layers would be lost; nearest legal choice: 1"),
            std::string::npos)
      << text;
}

TEST(Malformed, BatchSizes) {
  expectFaults(
      {
          {"--micro-batch-size 0", {"--micro-batch-size 0", "at least 1"}},
          {"--micro-batch-size 3",
           {"--global-batch-size 16", "micro batch size 3",
            "data-parallel size 2", "nearest legal choice: 18"}},
          {"--global-batch-size 2", {"--global-batch-size 2", "choice: 4"}},
          {"--global-batch-size 0", {"--global-batch-size 0", "choice: 4"}},
          {"--global-batch-size -4", {"--global-batch-size -4"}},
          {"--rampup-batch-size 4 4 160",
           {"--rampup-batch-size 4 4 160", "--train-samples"}},
      },
      steps());
}

TEST(Malformed, RampUps) {
  expectFaults(
      {
          {"--rampup-batch-size 4 4", {"takes 3 values", "not 2"}},
          {"--rampup-batch-size", {"takes 3 values", "not 0"}},
          {"--rampup-batch-size 4 4 x", {"'x'", "whole number"}},
          {"--rampup-batch-size 0 4 160", {"start must be at least 1"}},
          {"--rampup-batch-size 32 4 160",
           {"32 start", "below the global batch size 16"}},
          {"--rampup-batch-size 16 4 160", {"leave the ramp-up out"}},
          {"--rampup-batch-size 4 0 160", {"increment must be at least 1"}},
          {"--rampup-batch-size 4 5 160",
           {"12 samples between start", "nearest legal choice: 4"}},
          {"--rampup-batch-size 4 4 0", {"samples must lie between 1"}},
          {"--rampup-batch-size 4 6 160",
           {"10 is the batch size from iteration 20 on", "micro batch size 2",
            "multiples of 4"}},
          {"--rampup-batch-size 2 2 160",
           {"2 is the batch size from iteration 0 on"}},
      },
      samples());
}

TEST(Malformed, LengthAndLearningRate) {
  expectFaults(
      {
          {"--train-samples 1600", {"--train-samples 1600", "--train-iters"}},
          {"--lr-decay-samples 800",
           {"--lr-decay-samples", "--lr-decay-iters"}},
          {"--lr-warmup-samples 80", {"--lr-warmup-samples 80"}},
          {"--lr-warmup-fraction .1 --lr-warmup-iters 5",
           {"--lr-warmup-iters 5", "--lr-warmup-fraction"}},
          {"--warmup 5", {"--warmup 5", "--lr-warmup-fraction"}},
          {"--train-iters 0", {"--train-iters 0", "must be given"}},
          {"--train-iters -5 --lr-decay-iters 5",
           {"--train-iters -5", "no step"}},
          {"--min-lr 0.01", {"--min-lr 0.01", "exceeds --lr 0.001"}},
          {"--min-lr=-1", {"--min-lr -1", "at least 0"}},
          {"--lr=-1", {"--lr -1", "at least 0"}},
          {"--lr nan", {"--lr nan", "finite"}},
          {"--lr inf", {"--lr inf", "finite"}},
          {"--lr-decay-iters 0", {"--lr-decay-iters 0", "above 0"}},
          {"--lr-warmup-iters 100",
           {"--lr-warmup-iters 100", "1600 samples of decay"}},
          {"--lr-warmup-fraction 1.5", {"--lr-warmup-fraction 1.5", "2400"}},
          {"--override-lr-scheduler --use-checkpoint-lr-scheduler",
           {"--override-lr-scheduler", "one of the two"}},
      },
      steps());
  expectFaults(
      {
          {"--lr-decay-iters 50", {"--lr-decay-iters", "--lr-decay-samples"}},
          {"--lr-warmup-iters 5", {"--lr-warmup-iters 5"}},
          {"--lr-warmup-fraction .1 --lr-warmup-samples 5",
           {"--lr-warmup-samples 5"}},
          {"--train-samples 15", {"--train-samples 15", "no step"}},
      },
      samples());
}

TEST(Malformed, Network) {
  expectFaults(
      {
          {"--hidden-size 66",
           {"--hidden-size 66", "--num-attention-heads 4", "choice: 64"}},
          {"--num-layers 0", {"--num-layers 0", "at least 1"}},
          {"--num-layers 1000000", {"--num-layers 1000000", "1 and 2^16"}},
          {"--hidden-size 1000000000000 --num-attention-heads 4 "
           "--kv-channels 16 --ffn-hidden-size 64",
           {"--hidden-size 1000000000000", "2^56 numbers"}},
          {"--micro-batch-size 1000000000 --global-batch-size 4000000000 "
           "--seq-length 1000000000 --max-position-embeddings 1000000000",
           {"1000000000", "2^60 multiplications"}},
          {"--hidden-size -64", {"--hidden-size -64", "at least 1"}},
          {"--ffn-hidden-size 0", {"--ffn-hidden-size 0"}},
          {"--kv-channels 0", {"--kv-channels 0"}},
          {"--max-position-embeddings 16",
           {"--seq-length 32", "--max-position-embeddings 16", "choice: 16"}},
          {"--encoder-seq-length 32",
           {"--encoder-seq-length 32", "--seq-length"}},
          {"--decoder-seq-length 64", {"--decoder-seq-length 64", "32"}},
          {"--make-vocab-size-divisible-by 0",
           {"--make-vocab-size-divisible-by 0", "choice: 1"}},
          {"--attention-dropout 1", {"--attention-dropout 1", "below 1"}},
          {"--hidden-dropout=-0.1", {"--hidden-dropout -0.1", "choice: 0"}},
          {"--layernorm-epsilon 0", {"--layernorm-epsilon 0"}},
          {"--init-method-std=-1", {"--init-method-std -1"}},
          {"--seed 0", {"--seed 0", "between 1 and 4294967295"}},
          {"--seed -1", {"--seed -1", "nearest legal choice: 1"}},
      },
      steps());
}

TEST(Malformed, Precision) {
  expectFaults(
      {
          {"--fp16 --bf16", {"--bf16", "excludes --fp16"}},
          {"--fp32-residual-connection", {"needs --fp16 or --bf16"}},
          {"--fp16-lm-cross-entropy", {"needs --fp16"}},
          {"--bf16 --fp16-lm-cross-entropy", {"needs --fp16"}},
          {"--accumulate-allreduce-grads-in-fp32 --DDP-impl torch "
           "--pipeline-model-parallel-size 1",
           {"--DDP-impl torch", "--accumulate-allreduce-grads-in-fp32"}},
          {"--fp16 --initial-loss-scale 0", {"--initial-loss-scale 0"}},
          {"--fp16 --initial-loss-scale 1 --min-loss-scale 2",
           {"--min-loss-scale 2", "nearest legal choice: 1"}},
          {"--fp16 --loss-scale=-8", {"--loss-scale -8"}},
          {"--fp16 --hysteresis 0", {"--hysteresis 0"}},
          {"--fp16 --loss-scale-window 0", {"--loss-scale-window 0"}},
          {"--fp16 --loss-scale-window 1.5", {"whole number", "1000"}},
          {"--fp16 --loss-scale 1e40", {"--loss-scale 1e40", "2^126"}},
          {"--bf16 --loss-scale 1e-42", {"--loss-scale 1e-42", "2^-126"}},
          {"--fp16 --initial-loss-scale 1e40", {"2^126", "4294967296"}},
          {"--fp16 --min-loss-scale 1e-42", {"2^-126", "choice: 1"}},
      },
      steps());
}

TEST(Malformed, DataAndRuntime) {
  expectFaults(
      {
          {"--data-path a b c", {"--data-path a b c", "3 words"}},
          {"--data-path a b", {"'a'", "weight is expected"}},
          {"--data-path 0 a 1 b", {"0 is a weight", "above 0"}},
          {"--split 1,1,1,1", {"--split 1,1,1,1", "4 shares"}},
          {"--split a", {"--split", "'a'"}},
          {"--data-impl lazy", {"--data-impl lazy", "choice: mmap"}},
          {"--tokenizer-type BertWordPieceCase",
           {"end-of-document", "GPT2BPETokenizer"}},
          {"--save out", {"--save-interval", "must be given with --save"}},
          {"--eval-interval 0", {"--eval-interval 0", "choice: 1"}},
          {"--log-interval 0", {"--log-interval 0", "choice: 1"}},
          {"--eval-iters -1", {"--eval-iters -1", "choice: 0"}},
          {"--exit-interval -1", {"--exit-interval -1", "choice: 0"}},
      },
      steps());
}

TEST(Malformed, MissingOptionsAreAllNamed) {
  ParseResult result = test::parseLine("");
  std::string text = job::format(result.errors);
  for (const char *flag :
       {"--micro-batch-size", "--num-layers", "--hidden-size",
        "--num-attention-heads", "--max-position-embeddings", "--seq-length"})
    EXPECT_NE(text.find(std::string(flag) + ": must be given"),
              std::string::npos)
        << flag << " in " << text;
  ParseResult noLength =
      test::parseLine(std::string(test::kModel) + test::kLayout);
  text = job::format(noLength.errors);
  EXPECT_NE(text.find("--train-iters: must be given, or --train-samples"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("--lr: must be given"), std::string::npos) << text;
}

TEST(Malformed, ProgramsAndWorldSizes) {
  auto errorsOf = [](const char *program, int64_t worldSize) {
    return job::format(
        parse({program, test::words(steps()), worldSize, 50257}).errors);
  };
  EXPECT_EQ(errorsOf("some/folder/pretrain_gpt.py", 8), "");
  EXPECT_NE(errorsOf("pretrain_bert.py", 8)
                .find("is not supported yet; nearest legal choice: "
                      "pretrain_gpt.py"),
            std::string::npos);
  EXPECT_NE(errorsOf("torchrun", 8).find("leave it and its options out"),
            std::string::npos);
  EXPECT_NE(errorsOf("CUDA_DEVICE_MAX_CONNECTIONS=1", 8)
                .find("sets a variable for a launcher"),
            std::string::npos);
  EXPECT_NE(errorsOf("train.py", 8).find("train.py: is not a program"),
            std::string::npos);
  EXPECT_NE(errorsOf("pretrain_gpt.py", 0).find("world size 0"),
            std::string::npos);
  EXPECT_NE(errorsOf("pretrain_gpt.py", 6).find("world size 6"),
            std::string::npos);
  EXPECT_NE(errorsOf("pretrain_gpt.py", int64_t(1) << 32)
                .find("world size 4294967296: exceeds 2147483647"),
            std::string::npos);
}

TEST(Malformed, SeveralFaultsAreToldAtOnce) {
  ParseResult words = test::parseWith("--seed x --lr y --nothing");
  EXPECT_EQ(words.errors.size(), 3u) << job::format(words.errors);
  ParseResult rules =
      test::parseWith("--fp16 --bf16 --batch-size 4 --hidden-size 66");
  EXPECT_EQ(rules.errors.size(), 3u) << job::format(rules.errors);
}
