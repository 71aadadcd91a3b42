// Option by option into the fields of JobSpec.
#include "frontend/megatron_lm/ToJob.h"

#include "frontend/job/BatchSchedule.h"
#include "frontend/job/Check.h"

#include <algorithm>
#include <limits>

namespace orrery::frontend::megatron {

using job::JobSpec;

static int64_t integer(const CommandLine &line, std::string_view dest) {
  return line.values.getInt(dest).value_or(0);
}

static double real(const CommandLine &line, std::string_view dest) {
  return line.values.getFloat(dest).value_or(0);
}

/// A 32-bit field; a value beyond it becomes the largest one, which the
/// checks of the field then refuse or which means the same.
static int32_t narrow(int64_t value) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  return int32_t(std::clamp<int64_t>(value, -kMost, kMost));
}

static void fillModel(CommandLine &line, const Vocabulary &vocabulary,
                      JobSpec &job) {
  job::Model &model = *job.mutable_model();
  model.set_num_layers(integer(line, "num_layers"));
  model.set_hidden_size(integer(line, "hidden_size"));
  model.set_ffn_hidden_size(integer(line, "ffn_hidden_size"));
  model.set_num_attention_heads(integer(line, "num_attention_heads"));
  model.set_kv_channels(integer(line, "kv_channels"));
  model.set_max_position_embeddings(integer(line, "max_position_embeddings"));
  model.set_seq_length(integer(line, "seq_length"));
  model.set_vocab_size(vocabulary.size);
  int64_t divisor = integer(line, "make_vocab_size_divisible_by");
  constexpr int64_t kLargest = int64_t(1) << 20;
  if (divisor < 1 || divisor > kLargest)
    line.fail("make_vocab_size_divisible_by",
              "must lie between 1 and " + std::to_string(kLargest),
              divisor < 1 ? "1" : std::to_string(kLargest));
  else
    model.set_padded_vocab_size(job::paddedVocabSize(
        vocabulary.size, divisor, integer(line, "tensor_model_parallel_size")));
  model.set_layernorm_epsilon(real(line, "layernorm_epsilon"));
  model.set_residual_post_layernorm(
      line.values.getFlag("apply_residual_connection_post_layernorm"));
  bool tanh = line.values.getFlag("bias_gelu_fusion") ||
              line.values.getFlag("openai_gelu");
  model.set_activation(tanh ? job::Model::GELU_TANH : job::Model::GELU_ERF);
  model.set_attention_dropout(real(line, "attention_dropout"));
  model.set_hidden_dropout(real(line, "hidden_dropout"));
  model.set_init_method_std(real(line, "init_method_std"));
  model.set_reset_position_ids(line.values.getFlag("reset_position_ids"));
  model.set_reset_attention_mask(line.values.getFlag("reset_attention_mask"));
  model.set_eod_mask_loss(line.values.getFlag("eod_mask_loss"));
  model.set_dtype(line.values.getFlag("fp16")   ? job::FLOAT16
                  : line.values.getFlag("bf16") ? job::BFLOAT16
                                                : job::FLOAT32);
  model.set_fp32_residual(line.values.getFlag("fp32_residual_connection"));
  model.set_fp16_cross_entropy(line.values.getFlag("fp16_lm_cross_entropy"));
}

/// `--rampup-batch-size start increment samples`.
static void fillRampUp(CommandLine &line, job::Parallel &parallel) {
  std::string_view dest = "rampup_batch_size";
  if (line.values.isNone(dest))
    return;
  std::vector<std::string> words = line.values.getList(dest);
  std::vector<int64_t> numbers;
  for (const std::string &word : words)
    if (std::optional<int64_t> number = parseInt(word))
      numbers.push_back(*number);
    else
      return line.fail(dest, "'" + word + "' is not a whole number");
  if (numbers.size() != 3)
    return line.fail(dest,
                     "takes 3 values (start batch size, increment, samples), "
                     "not " +
                         std::to_string(numbers.size()));
  job::BatchRampUp &ramp = *parallel.mutable_ramp_up();
  ramp.set_start(numbers[0]);
  ramp.set_increment(numbers[1]);
  ramp.set_samples(numbers[2]);
}

static void fillParallel(CommandLine &line, JobSpec &job) {
  job::Parallel &parallel = *job.mutable_parallel();
  constexpr int64_t kMostRanks = std::numeric_limits<int32_t>::max();
  if (line.worldSize > kMostRanks)
    line.errors.push_back({0, "world size", std::to_string(line.worldSize),
                           "exceeds " + std::to_string(kMostRanks),
                           std::to_string(kMostRanks)});
  parallel.set_world_size(narrow(line.worldSize));
  parallel.set_pipeline(narrow(integer(line, "pipeline_model_parallel_size")));
  parallel.set_data(narrow(integer(line, "data_parallel_size")));
  parallel.set_tensor(narrow(integer(line, "tensor_model_parallel_size")));
  bool sequence = line.values.getFlag("sequence_parallel");
  parallel.set_sequence_parallel(sequence && parallel.tensor() > 1);
  if (sequence && parallel.tensor() == 1)
    line.note("sequence_parallel",
              "nothing to shard with a tensor-parallel size of 1");
  parallel.set_chunks(1);
  parallel.set_scatter_gather_pipeline(
      line.values.getFlag("scatter_gather_tensors_in_pipeline"));
  if (line.values.getFlag("checkpoint_activations")) {
    std::string_view dest = line.isGiven("recompute_num_layers")
                                ? "recompute_num_layers"
                                : "checkpoint_num_layers";
    parallel.set_recompute_layers(integer(line, dest));
    if (parallel.recompute_layers() < 1)
      line.fail(dest, "must be at least 1", "1");
  }
  parallel.set_micro_batch_size(integer(line, "micro_batch_size"));
  parallel.set_global_batch_size(integer(line, "global_batch_size"));
  fillRampUp(line, parallel);
  if (parallel.pipeline() > 1 && line.values.getText("DDP_impl") != "local")
    line.fail("DDP_impl", "excludes pipeline stages", "local");
}

/// Steps, decay and warm-up, all in samples (megatron/training.py,
/// get_learning_rate_scheduler and update_train_iters).
static void fillLength(CommandLine &line, JobSpec &job) {
  job::Train &train = *job.mutable_train();
  int64_t batch = job.parallel().global_batch_size();
  int64_t iterations = integer(line, "train_iters");
  int64_t samples = integer(line, "train_samples");
  double decay = 0, warmup = 0;
  if (iterations != 0) {
    train.set_train_iters(iterations);
    decay = double(line.values.getInt("lr_decay_iters").value_or(iterations)) *
            double(batch);
    warmup = double(integer(line, "lr_warmup_iters")) * double(batch);
  } else if (samples != 0) {
    train.set_train_samples(samples);
    const job::Parallel &parallel = job.parallel();
    job::Diagnostics reportedLater;
    if (!parallel.has_ramp_up())
      train.set_train_iters(job::trainIterations(samples, nullptr, batch));
    else if (job::checkRampUp(job, reportedLater))
      train.set_train_iters(
          job::trainIterations(samples, &parallel.ramp_up(), batch));
    else
      train.set_train_iters(1); // unknown, but not the fault
    decay = double(line.values.getInt("lr_decay_samples").value_or(samples));
    warmup = double(integer(line, "lr_warmup_samples"));
    if (parallel.has_ramp_up() && samples < parallel.ramp_up().samples())
      line.note("train_samples",
                "the ramp-up is longer than the run; its iterations are "
                "counted whole, as in the original");
  } else {
    line.fail("train_iters", "must be given, or --train-samples");
  }
  if (std::optional<double> part = line.values.getFloat("lr_warmup_fraction"))
    warmup = *part * decay;
  train.set_lr_decay_samples(decay);
  train.set_lr_warmup_samples(warmup);
}

/// A constant scale for 16 bits, else a dynamic one for float16.
static void fillLossScale(CommandLine &line, JobSpec &job) {
  job::Train &train = *job.mutable_train();
  double scale = real(line, "loss_scale");
  if (job.model().dtype() != job::FLOAT32)
    train.set_constant_loss_scale(scale);
  else if (line.isGiven("loss_scale"))
    line.note("loss_scale", "unused: float32 needs no loss scale");
  train.set_initial_loss_scale(real(line, "initial_loss_scale"));
  train.set_min_loss_scale(real(line, "min_loss_scale"));
  train.set_loss_scale_window(real(line, "loss_scale_window"));
  train.set_loss_scale_hysteresis(narrow(integer(line, "hysteresis")));
  if (job.model().dtype() == job::FLOAT16 && scale == 0)
    return;
  for (const char *dest : {"initial_loss_scale", "min_loss_scale",
                           "loss_scale_window", "hysteresis"})
    if (line.isGiven(dest))
      line.note(dest, "unused: no scale is dynamic without --fp16 or with "
                      "--loss-scale");
}

static void fillTrain(CommandLine &line, JobSpec &job) {
  job::Train &train = *job.mutable_train();
  train.set_optimizer(line.values.getText("optimizer") == "sgd"
                          ? job::Train::SGD
                          : job::Train::ADAM);
  train.set_adam_beta1(real(line, "adam_beta1"));
  train.set_adam_beta2(real(line, "adam_beta2"));
  train.set_adam_eps(real(line, "adam_eps"));
  train.set_sgd_momentum(real(line, "sgd_momentum"));
  train.set_weight_decay(real(line, "weight_decay"));
  double clip = real(line, "clip_grad");
  train.set_clip_grad(clip < 0 ? 0 : clip);
  if (line.values.isNone("lr"))
    line.fail("lr", "must be given");
  train.set_lr(real(line, "lr"));
  train.set_min_lr(real(line, "min_lr"));
  std::string style = line.values.getText("lr_decay_style");
  train.set_decay(style == "constant" ? job::Train::CONSTANT
                  : style == "cosine" ? job::Train::COSINE
                                      : job::Train::LINEAR);
  fillLength(line, job);
  train.set_seed(uint64_t(integer(line, "seed")));
  fillLossScale(line, job);
  train.set_accumulate_grads_fp32(true);
  train.set_override_lr_scheduler(line.values.getFlag("override_lr_scheduler"));
  train.set_use_checkpoint_lr_scheduler(
      line.values.getFlag("use_checkpoint_lr_scheduler"));
}

/// `--data-path prefix` or `--data-path weight prefix weight prefix …`.
static void fillSources(CommandLine &line, job::Data &data) {
  std::vector<std::string> words = line.values.getList("data_path");
  if (words.empty())
    return line.note("data_path", "absent: name the tokens with orrery-run "
                                  "--data=PREFIX");
  if (words.size() == 1)
    words.insert(words.begin(), "1");
  if (words.size() % 2 != 0)
    return line.fail("data_path",
                     "has " + std::to_string(words.size()) +
                         " words; it takes one prefix, or a weight before "
                         "each prefix");
  for (size_t i = 0; i < words.size(); i += 2) {
    std::optional<double> weight = parseFloat(words[i]);
    if (!weight)
      return line.fail("data_path", "'" + words[i] +
                                        "' stands where a weight is expected "
                                        "and is not a number");
    job::Data::Source &source = *data.add_sources();
    source.set_weight(*weight);
    source.set_prefix(words[i + 1]);
  }
}

static void fillData(CommandLine &line, const Vocabulary &vocabulary,
                     JobSpec &job) {
  job::Data &data = *job.mutable_data();
  fillSources(line, data);
  data.set_split(line.values.getText("split"));
  data.set_sampler(line.values.getText("dataloader_type") == "cyclic"
                       ? job::Data::CYCLIC
                       : job::Data::SINGLE);
  std::string tokenizer = line.values.getText("tokenizer_type");
  if (tokenizer != "GPT2BPETokenizer")
    line.fail("tokenizer_type",
              "has no end-of-document token, which " +
                  std::string(line.program.script) + " needs",
              "GPT2BPETokenizer");
  data.set_tokenizer(tokenizer);
  data.set_vocab_file(line.values.getText("vocab_file"));
  data.set_merge_file(line.values.getText("merge_file"));
  data.set_eod_token(vocabulary.endOfDocument);
  std::string format = line.values.getText("data_impl");
  if (format == "lazy" || format == "cached")
    line.fail("data_impl",
              "cannot be read for pretraining, here as in the "
              "original",
              "mmap");
  data.set_implementation(format);
}

static void fillRuntime(CommandLine &line, JobSpec &job) {
  job::Runtime &runtime = *job.mutable_runtime();
  runtime.set_save(line.values.getText("save"));
  runtime.set_load(line.values.getText("load"));
  runtime.set_save_interval(integer(line, "save_interval"));
  runtime.set_save_optimizer(!line.values.getFlag("no_save_optim"));
  runtime.set_load_optimizer(!line.values.getFlag("no_load_optim"));
  runtime.set_save_random_state(!line.values.getFlag("no_save_rng"));
  runtime.set_load_random_state(!line.values.getFlag("no_load_rng"));
  runtime.set_finetune(line.values.getFlag("finetune"));
  runtime.set_log_interval(integer(line, "log_interval"));
  runtime.set_eval_interval(integer(line, "eval_interval"));
  runtime.set_eval_iters(integer(line, "eval_iters"));
  runtime.set_exit_interval(integer(line, "exit_interval"));
  runtime.set_exit_duration_minutes(integer(line, "exit_duration_in_mins"));
  runtime.set_log_params_norm(line.values.getFlag("log_params_norm"));
  runtime.set_log_num_zeros(line.values.getFlag("log_num_zeros_in_grad"));
  runtime.set_tensorboard_dir(line.values.getText("tensorboard_dir"));
  if ((runtime.exit_interval() || runtime.exit_duration_minutes()) &&
      runtime.save().empty())
    line.note(runtime.exit_interval() ? "exit_interval"
                                      : "exit_duration_in_mins",
              "without --save it ends without a checkpoint");
}

void fillJob(CommandLine &line, const Vocabulary &vocabulary, JobSpec &job) {
  fillModel(line, vocabulary, job);
  fillParallel(line, job);
  fillTrain(line, job);
  fillData(line, vocabulary, job);
  fillRuntime(line, job);
}

} // namespace orrery::frontend::megatron
