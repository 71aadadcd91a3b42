// The rules of a job description, one broken rule at a time.
#include "frontend/job/Check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

using namespace orrery::job;

/// A small legal job on 8 ranks: 2 stages, 2 replicas, 2 tensor ranks.
static JobSpec legalJob() {
  JobSpec job;
  Model &model = *job.mutable_model();
  model.set_num_layers(4);
  model.set_hidden_size(64);
  model.set_ffn_hidden_size(256);
  model.set_num_attention_heads(4);
  model.set_kv_channels(16);
  model.set_max_position_embeddings(64);
  model.set_seq_length(64);
  model.set_vocab_size(257);
  model.set_padded_vocab_size(paddedVocabSize(257, 64, 2));
  model.set_layernorm_epsilon(1e-5);
  model.set_init_method_std(0.02);
  model.set_dtype(FLOAT16);
  Parallel &parallel = *job.mutable_parallel();
  parallel.set_world_size(8);
  parallel.set_pipeline(2);
  parallel.set_data(2);
  parallel.set_tensor(2);
  parallel.set_chunks(1);
  parallel.set_micro_batch_size(2);
  parallel.set_global_batch_size(16);
  Train &train = *job.mutable_train();
  train.set_adam_beta1(0.9);
  train.set_adam_beta2(0.999);
  train.set_adam_eps(1e-8);
  train.set_lr(1e-3);
  train.set_lr_decay_samples(1600);
  train.set_train_iters(100);
  train.set_seed(1234);
  train.set_initial_loss_scale(4294967296);
  train.set_min_loss_scale(1);
  train.set_loss_scale_window(1000);
  train.set_loss_scale_hysteresis(2);
  job.mutable_data()->set_split("969, 30, 1");
  job.mutable_runtime()->set_log_interval(1);
  job.mutable_runtime()->set_eval_interval(10);
  return job;
}

TEST(Check, AcceptsALegalJob) { EXPECT_EQ(format(check(legalJob())), ""); }

TEST(Check, NamesFieldValueLimitAndNearestChoice) {
  struct Case {
    const char *field;
    std::function<void(JobSpec &)> breakIt;
    std::vector<const char *> words;
  };
  auto model = [](JobSpec &job) { return job.mutable_model(); };
  auto parallel = [](JobSpec &job) { return job.mutable_parallel(); };
  auto train = [](JobSpec &job) { return job.mutable_train(); };
  const Case cases[] = {
      {"model.num_layers",
       [&](auto &j) { model(j)->set_num_layers(5); },
       {"5", "not divisible by the 2 pipeline parts", "4"}},
      {"model.num_attention_heads",
       [&](auto &j) { model(j)->set_num_attention_heads(7); },
       {"7", "tensor-parallel size 2", "6"}},
      {"model.ffn_hidden_size",
       [&](auto &j) { model(j)->set_ffn_hidden_size(255); },
       {"255", "254"}},
      {"model.padded_vocab_size",
       [&](auto &j) { model(j)->set_padded_vocab_size(256); },
       {"256", "smaller than the vocabulary of 257"}},
      {"model.seq_length",
       [&](auto &j) { model(j)->set_seq_length(65); },
       {"65", "64 rows", "64"}},
      {"model.hidden_size",
       [&](auto &j) { model(j)->set_hidden_size(-1); },
       {"-1", "between 1 and"}},
      {"model.attention_dropout",
       [&](auto &j) { model(j)->set_attention_dropout(1.0); },
       {"below 1"}},
      {"model.layernorm_epsilon",
       [&](auto &j) { model(j)->set_layernorm_epsilon(NAN); },
       {"nan", "finite"}},
      {"model.fp16_cross_entropy",
       [&](auto &j) {
         model(j)->set_dtype(BFLOAT16);
         model(j)->set_fp16_cross_entropy(true);
       },
       {"needs FLOAT16"}},
      {"parallel.world_size",
       [&](auto &j) { parallel(j)->set_world_size(9); },
       {"9", "2 stages x 2 replicas x 2 tensor ranks"}},
      {"parallel.tensor",
       [&](auto &j) { parallel(j)->set_tensor(0); },
       {"0", "at least 1"}},
      {"parallel.recompute_layers",
       [&](auto &j) {
         model(j)->set_num_layers(8);
         parallel(j)->set_recompute_layers(3);
       },
       {"3", "4 layers of a stage", "2"}},
      {"parallel.global_batch_size",
       [&](auto &j) { parallel(j)->set_global_batch_size(10); },
       {"10", "micro batch size 2 times data-parallel size 2", "8"}},
      {"parallel.global_batch_size",
       [&](auto &j) {
         parallel(j)->set_chunks(2);
         parallel(j)->set_global_batch_size(12);
       },
       {"3 microbatches", "2 stages", "8"}},
      {"parallel.ramp_up",
       [&](auto &j) {
         parallel(j)->mutable_ramp_up()->set_start(4);
         parallel(j)->mutable_ramp_up()->set_increment(6);
         parallel(j)->mutable_ramp_up()->set_samples(160);
       },
       {"10", "from iteration 20 on", "multiples of 4"}},
      {"train.lr_warmup_samples",
       [&](auto &j) { train(j)->set_lr_warmup_samples(1600); },
       {"1600", "less than 1600"}},
      {"train.min_lr",
       [&](auto &j) { train(j)->set_min_lr(2e-3); },
       {"0.002", "exceeds", "0.001"}},
      {"train.adam_beta2",
       [&](auto &j) { train(j)->set_adam_beta2(1.0); },
       {"below 1"}},
      {"train.seed",
       [&](auto &j) { train(j)->set_seed(0); },
       {"between 1 and 4294967295", "1"}},
      {"train.seed",
       [&](auto &j) { train(j)->set_seed(1ull << 32); },
       {"4294967295"}},
      {"train.train_iters",
       [&](auto &j) { train(j)->set_train_iters(0); },
       {"no step"}},
      {"train.initial_loss_scale",
       [&](auto &j) { train(j)->set_initial_loss_scale(0); },
       {"above 0"}},
      {"train.min_loss_scale",
       [&](auto &j) { train(j)->set_min_loss_scale(8e9); },
       {"exceeds the initial loss scale"}},
      {"data.split",
       [&](auto &j) { j.mutable_data()->set_split("9,x,1"); },
       {"'x'"}},
      {"data.eod_token",
       [&](auto &j) { j.mutable_data()->set_eod_token(257); },
       {"outside the vocabulary of 257"}},
      {"runtime.eval_interval",
       [&](auto &j) { j.mutable_runtime()->set_eval_interval(0); },
       {"at least 1"}},
  };
  for (const Case &entry : cases) {
    JobSpec job = legalJob();
    entry.breakIt(job);
    Diagnostics faults = check(job);
    SCOPED_TRACE(format(faults));
    ASSERT_EQ(faults.size(), 1u) << entry.field;
    EXPECT_EQ(faults[0].subject, entry.field);
    for (const char *word : entry.words)
      EXPECT_NE(faults[0].str().find(word), std::string::npos) << word;
  }
}

TEST(Check, ReadsSplitsAsTheOriginalDoes) {
  for (const char *legal : {"969, 30, 1", "80/10/10", "1", "9,1", "0.5,0.5,0"})
    EXPECT_EQ(splitFault(legal), "") << legal;
  for (const char *illegal :
       {"", "a", "1,,1", "-1,2,3", "0,0,0", "1,1,1,1", "nan,1,1", "1/2,3"})
    EXPECT_NE(splitFault(illegal), "") << illegal;
}

TEST(Check, PadsTheVocabularyByDivisorAndTensorSize) {
  const int64_t cases[][3] = {
      {1, 50304, 50257}, {2, 50432, 50257}, {4, 50688, 50257},
      {8, 51200, 50257}, {1, 30592, 30524}, {2, 30720, 30524},
      {8, 30720, 30524}, {1, 29056, 28998}, {4, 29184, 28998},
      {8, 29696, 28998}, {1, 50304, 50304}};
  for (const auto &[tensor, padded, tokens] : cases)
    EXPECT_EQ(paddedVocabSize(tokens, 128, tensor), padded);
}
