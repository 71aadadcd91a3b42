// Rules 1 to 24 of megatron/arguments.py, parse_args; numbers in comments
// are their order of evaluation.
#include "frontend/megatron_lm/Rules.h"

#include "frontend/job/NearestLegal.h"

#include <algorithm>

namespace orrery::frontend::megatron {

std::string CommandLine::spelling(std::string_view dest) const {
  if (auto found = given.find(dest); found != given.end())
    return found->second.flag;
  for (const OptionInfo *option : program.options())
    if (option->dest == dest)
      return std::string(option->flag);
  return std::string(dest);
}

void CommandLine::fail(std::string_view dest, const std::string &problem,
                       const std::string &nearest) {
  job::Diagnostic diagnostic{0, spelling(dest), "", problem, nearest};
  if (auto found = given.find(dest); found != given.end()) {
    diagnostic.argument = found->second.argument;
    diagnostic.value = found->second.value;
  } else if (!values.isNone(dest)) {
    diagnostic.value = toText(values.get(dest));
  }
  errors.push_back(diagnostic);
}

void CommandLine::note(std::string_view dest, const std::string &text) {
  std::string &notes = this->notes[std::string(dest)];
  notes += (notes.empty() ? "" : "; ") + text;
}

static std::string text(int64_t value) { return std::to_string(value); }

/// Options that are errors whenever they are given (6, and what the compiler
/// does not offer), and later spellings of recomputation.
static void applyTable(CommandLine &line) {
  for (const OptionInfo *option : line.program.options())
    if (option->effect == Effect::Rejected && line.isGiven(option->dest) &&
        line.given.find(option->dest)->second.flag == option->flag)
      line.fail(option->dest, std::string(option->text),
                std::string(option->nearest));
  if (line.values.getText("recompute_granularity") == "full")
    line.values.set("checkpoint_activations", true);
  if (line.isGiven("recompute_num_layers")) {
    if (line.isGiven("checkpoint_num_layers"))
      line.fail("recompute_num_layers",
                "is another name of --checkpoint-num-layers, which is given "
                "too",
                "one of the two");
    line.values.set("checkpoint_num_layers",
                    line.values.get("recompute_num_layers"));
  }
  for (std::string_view dest :
       {"checkpoint_num_layers", "recompute_num_layers", "recompute_method"})
    if (line.isGiven(dest) && !line.values.getFlag("checkpoint_activations"))
      line.note(dest, "unused: nothing is recomputed without "
                      "--checkpoint-activations");
  if (line.values.getText("recompute_method") == "block")
    line.fail("recompute_method", "block-wise recomputation is not supported",
              "uniform");
}

/// A parallel size that must divide `ranks`, told as `limit`; true when it
/// does. `wanted` says which other sizes would be legal.
template <typename Predicate>
static bool applySize(CommandLine &line, std::string_view dest, int64_t ranks,
                      const std::string &limit, Predicate wanted) {
  int64_t size = *line.values.getInt(dest);
  std::string problem;
  if (size < 1)
    problem = "must be at least 1";
  else if (size > ranks)
    problem = "is larger than " + limit +
              "; the original would quietly run with less";
  else if (ranks % size != 0)
    problem = "does not divide " + limit;
  else
    return true;
  auto legal = [&](int64_t other) {
    return ranks % other == 0 && wanted(other);
  };
  line.fail(dest, problem, job::nearestLegal(size, 1, ranks, legal));
  return false;
}

/// 1 to 5: t and p against the world size; true when d is known.
static bool applyMesh(CommandLine &line) {
  line.values.set("rank", int64_t(0));
  line.values.set("world_size", line.worldSize);
  if (line.worldSize < 1) {
    line.errors.push_back(
        {0, "world size", text(line.worldSize), "must be at least 1", "1"});
    return false;
  }
  auto divides = [&](std::string_view dest, int64_t size) {
    int64_t whole = line.values.getInt(dest).value_or(0);
    return whole < 1 || whole % size == 0;
  };
  if (!applySize(line, "tensor_model_parallel_size", line.worldSize,
                 "the world size " + text(line.worldSize), [&](int64_t size) {
                   return divides("num_attention_heads", size);
                 }))
    return false;
  int64_t tensor = *line.values.getInt("tensor_model_parallel_size");
  int64_t rest = line.worldSize / tensor;
  std::string limit = "the " + text(rest) +
                      " ranks per tensor-parallel rank (world size " +
                      text(line.worldSize) + " / " + text(tensor) + ")";
  if (!applySize(line, "pipeline_model_parallel_size", rest, limit,
                 [&](int64_t size) { return divides("num_layers", size); }))
    return false;
  line.values.set("data_parallel_size",
                  rest / *line.values.getInt("pipeline_model_parallel_size"));
  return true;
}

/// 7
static void applyDefaults(CommandLine &line) {
  for (const auto &[dest, value] : line.program.defaults)
    if (line.values.isNone(dest))
      line.values.set(dest, value);
    else if (line.values.get(dest) != value)
      line.note(dest, "the program's own default is " + toText(value));
}

/// 8 and 9
static void applyBatch(CommandLine &line, bool meshKnown) {
  std::optional<int64_t> micro = line.values.getInt("micro_batch_size");
  if (!micro)
    return line.fail("micro_batch_size", "must be given", "1");
  if (*micro < 1)
    return line.fail("micro_batch_size", "must be at least 1", "1");
  if (!meshKnown)
    return;
  int64_t replicas = *line.values.getInt("data_parallel_size");
  std::optional<int64_t> global = line.values.getInt("global_batch_size");
  int64_t product = 0;
  if (__builtin_mul_overflow(*micro, replicas, &product))
    return line.fail("micro_batch_size",
                     "times the data-parallel size " + text(replicas) +
                         " exceeds 64 bits",
                     "1");
  if (!global)
    line.values.set("global_batch_size", product);
  else if (*global < 1)
    line.fail("global_batch_size", "must be at least 1", text(product));
}

/// 10. The original checks less and can lose layers: it needs L to be a
/// multiple of p times the layers per chunk, with at least two chunks.
static void applyInterleaving(CommandLine &line) {
  line.values.set("virtual_pipeline_model_parallel_size", Value());
  std::string_view dest = "num_layers_per_virtual_pipeline_stage";
  std::optional<int64_t> perChunk = line.values.getInt(dest);
  std::optional<int64_t> layers = line.values.getInt("num_layers");
  int64_t stages = *line.values.getInt("pipeline_model_parallel_size");
  if (!perChunk || !layers || stages < 1)
    return;
  auto legal = [&](int64_t count) {
    return *layers % stages == 0 && *layers / stages % count == 0;
  };
  std::string nearest = job::nearestLegal(
      *perChunk, 1, std::max<int64_t>(1, *layers / stages), legal);
  if (*perChunk < 1)
    return line.fail(dest, "must be at least 1", nearest);
  if (stages <= 2)
    line.fail("pipeline_model_parallel_size",
              "must be larger than 2 with interleaving", "3");
  if (!legal(*perChunk))
    line.fail(dest,
              "does not divide the " + text(*layers) + " layers over " +
                  text(stages) + " stages evenly; layers would be lost",
              nearest);
  line.values.set("virtual_pipeline_model_parallel_size",
                  *layers / stages / *perChunk);
}

/// 11 to 13
static void applyPrecision(CommandLine &line) {
  bool fp16 = line.values.getFlag("fp16"), bf16 = line.values.getFlag("bf16");
  if (fp16 && bf16)
    line.fail("bf16", "excludes " + line.spelling("fp16"), "one of the two");
  std::string dtype = fp16   ? "torch.float16"
                      : bf16 ? "torch.bfloat16"
                             : "torch.float32";
  line.values.set("params_dtype", dtype);
  std::string_view accumulate = "accumulate_allreduce_grads_in_fp32";
  if (bf16 && !line.values.getFlag(accumulate)) {
    line.values.set(accumulate, true);
    line.note(accumulate, "implied by --bf16");
  }
  if (line.values.getFlag(accumulate)) {
    if (line.values.getText("DDP_impl") != "local")
      line.fail("DDP_impl",
                "contradicts " + line.spelling(accumulate) +
                    (line.isGiven(accumulate) ? "" : ", implied by --bf16"),
                "local");
    line.values.set("use_contiguous_buffers_in_ddp", true);
  }
  if (line.values.isNone("dataloader_type"))
    line.values.set("dataloader_type", std::string("single"));
  line.values.set("consumed_train_samples", int64_t(0));
  line.values.set("consumed_valid_samples", int64_t(0));
}

/// 14 and 15, for one style of counting against the other one.
static void applyStyle(CommandLine &line, std::string_view own,
                       std::string_view otherLength,
                       std::string_view otherDecay,
                       std::string_view otherWarmup,
                       std::string_view ownWarmup) {
  std::string reason = "cannot be combined with " + line.spelling(own);
  if (!line.values.isNone(otherLength))
    line.fail(otherLength, reason, "one of the two");
  if (!line.values.isNone(otherDecay))
    line.fail(otherDecay, reason,
              own == "train_iters" ? "--lr-decay-iters" : "--lr-decay-samples");
  if (*line.values.getInt(otherWarmup) != 0)
    line.fail(otherWarmup, reason,
              own == "train_iters" ? "--lr-warmup-iters"
                                   : "--lr-warmup-samples");
  if (!line.values.isNone("lr_warmup_fraction") &&
      *line.values.getInt(ownWarmup) != 0)
    line.fail(ownWarmup, "cannot be combined with --lr-warmup-fraction",
              "one of the two");
}

static void applyLength(CommandLine &line) {
  int64_t iterations = line.values.getInt("train_iters").value_or(0);
  int64_t samples = line.values.getInt("train_samples").value_or(0);
  if (iterations != 0) {
    applyStyle(line, "train_iters", "train_samples", "lr_decay_samples",
               "lr_warmup_samples", "lr_warmup_iters");
    if (!line.values.isNone("rampup_batch_size"))
      line.fail("rampup_batch_size", "needs a run counted in samples",
                "--train-samples in place of --train-iters");
  } else if (samples != 0) {
    applyStyle(line, "train_samples", "train_iters", "lr_decay_iters",
               "lr_warmup_iters", "lr_warmup_samples");
  }
}

/// 16 to 18
static void applyNetwork(CommandLine &line) {
  bool complete = true;
  for (std::string_view dest :
       {"num_layers", "hidden_size", "num_attention_heads",
        "max_position_embeddings"}) {
    std::optional<int64_t> value = line.values.getInt(dest);
    if (!value)
      line.fail(dest, "must be given");
    else if (*value < 1)
      line.fail(dest, "must be at least 1", "1");
    complete &= value && *value >= 1;
  }
  if (!complete)
    return;
  int64_t hidden = *line.values.getInt("hidden_size");
  int64_t heads = *line.values.getInt("num_attention_heads");
  int64_t widened = 0;
  if (__builtin_mul_overflow(hidden, int64_t(4), &widened))
    return line.fail("hidden_size", "exceeds 2^61", "12288");
  if (line.values.isNone("ffn_hidden_size"))
    line.values.set("ffn_hidden_size", widened);
  if (!line.values.isNone("kv_channels"))
    return;
  if (hidden % heads != 0)
    return line.fail("hidden_size",
                     "is not divisible by " +
                         line.spelling("num_attention_heads") + " " +
                         text(heads) + ", and --kv-channels is not given",
                     job::nearestMultiple(hidden, heads));
  line.values.set("kv_channels", hidden / heads);
}

/// 19 and 20
static void applySequence(CommandLine &line) {
  std::optional<int64_t> sequence = line.values.getInt("seq_length");
  std::optional<int64_t> encoder = line.values.getInt("encoder_seq_length");
  if (sequence && encoder)
    return line.fail("encoder_seq_length",
                     "is another name of " + line.spelling("seq_length") +
                         ", which is given too",
                     "one of the two");
  if (!sequence && !encoder)
    return line.fail("seq_length", "must be given",
                     line.values.isNone("max_position_embeddings")
                         ? ""
                         : toText(line.values.get("max_position_embeddings")));
  int64_t length = sequence ? *sequence : *encoder;
  line.values.set("seq_length", length);
  line.values.set("encoder_seq_length", length);
  std::optional<int64_t> rows = line.values.getInt("max_position_embeddings");
  if (!rows || *rows < 1)
    return;
  std::string_view dest = sequence ? "seq_length" : "encoder_seq_length";
  std::string limit =
      line.spelling("max_position_embeddings") + " " + text(*rows);
  if (length < 1 || length > *rows)
    line.fail(dest, "must lie between 1 and " + limit,
              text(length < 1 ? 1 : *rows));
  std::optional<int64_t> decoder = line.values.getInt("decoder_seq_length");
  if (decoder && *decoder > *rows)
    line.fail("decoder_seq_length", "exceeds " + limit, text(*rows));
}

/// 21 to 24
static void applyRemainder(CommandLine &line) {
  std::optional<double> rate = line.values.getFloat("lr");
  if (rate && *rate >= 0 && *line.values.getFloat("min_lr") > *rate)
    line.fail("min_lr", "exceeds " + line.spelling("lr") + " " + toText(*rate),
              toText(*rate));
  if (!line.values.isNone("save") && line.values.isNone("save_interval"))
    line.fail("save_interval", "must be given with " + line.spelling("save"),
              "0, which saves at the end only");
  bool fp16 = line.values.getFlag("fp16"), bf16 = line.values.getFlag("bf16");
  if (line.values.getFlag("fp16_lm_cross_entropy") && !fp16)
    line.fail("fp16_lm_cross_entropy", "needs --fp16", "leave it out");
  if (line.values.getFlag("fp32_residual_connection") && !fp16 && !bf16)
    line.fail("fp32_residual_connection", "needs --fp16 or --bf16",
              "leave it out: everything is float32 already");
  if (line.values.getFlag("distribute_checkpointed_activations") &&
      !line.values.getFlag("checkpoint_activations"))
    line.fail("distribute_checkpointed_activations",
              "needs --checkpoint-activations", "leave it out");
}

void applyRules(CommandLine &line) {
  applyTable(line);
  bool meshKnown = applyMesh(line);
  applyDefaults(line);
  applyBatch(line, meshKnown);
  applyInterleaving(line);
  applyPrecision(line);
  applyLength(line);
  applyNetwork(line);
  applySequence(line);
  applyRemainder(line);
}

} // namespace orrery::frontend::megatron
