// The rules of shape, layout and batch; CheckTrain.cpp has the others.
#include "frontend/job/Check.h"

#include "frontend/job/BatchSchedule.h"
#include "frontend/job/NearestLegal.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace orrery::job {

/// Bound of every extent and batch size, so that products of one with a few
/// small factors stay far from overflow.
static constexpr int64_t kLargest = int64_t(1) << 40;

static std::string text(int64_t value) { return std::to_string(value); }

static void fail(Diagnostics &faults, const std::string &field, int64_t value,
                 const std::string &problem, const std::string &nearest) {
  faults.push_back({0, field, text(value), problem, nearest});
}

static void fail(Diagnostics &faults, const std::string &field, double value,
                 const std::string &problem, const std::string &nearest) {
  faults.push_back({0, field, shortest(value), problem, nearest});
}

int64_t paddedVocabSize(int64_t vocabSize, int64_t divisor, int64_t tensor) {
  int64_t unit = divisor * tensor;
  return (vocabSize + unit - 1) / unit * unit;
}

/// Bound of the layers, each of which is compiled.
static constexpr int64_t kMostLayers = int64_t(1) << 16;

struct Extent {
  const char *field;
  int64_t value, most;
  const char *mostText;
};

static std::array<Extent, 9> extentsOf(const Model &model) {
  auto extent = [](const char *field, int64_t value) {
    return Extent{field, value, kLargest, "2^40"};
  };
  return {
      Extent{"model.num_layers", model.num_layers(), kMostLayers, "2^16"},
      extent("model.hidden_size", model.hidden_size()),
      extent("model.ffn_hidden_size", model.ffn_hidden_size()),
      extent("model.num_attention_heads", model.num_attention_heads()),
      extent("model.kv_channels", model.kv_channels()),
      extent("model.max_position_embeddings", model.max_position_embeddings()),
      extent("model.seq_length", model.seq_length()),
      extent("model.vocab_size", model.vocab_size()),
      extent("model.padded_vocab_size", model.padded_vocab_size())};
}

/// Every extent must be at least 1 and at most its bound; true when all are.
static bool checkExtents(const Model &model, Diagnostics &faults) {
  bool legal = true;
  for (const auto &[field, value, most, mostText] : extentsOf(model)) {
    if (value >= 1 && value <= most)
      continue;
    legal = false;
    fail(faults, field, value,
         std::string("must lie between 1 and ") + mostText,
         text(value < 1 ? 1 : most));
  }
  return legal;
}

/// A probability in [0, 1).
static void checkDropout(const char *field, double value, Diagnostics &faults) {
  if (!(value >= 0 && value < 1))
    fail(faults, field, value, "must be at least 0 and below 1",
         value >= 1 ? "0.9" : "0");
}

void checkModel(const JobSpec &job, Diagnostics &faults) {
  const Model &model = job.model();
  if (checkExtents(model, faults)) {
    if (model.seq_length() > model.max_position_embeddings())
      fail(faults, "model.seq_length", model.seq_length(),
           "exceeds the " + text(model.max_position_embeddings()) +
               " rows of the position table",
           text(model.max_position_embeddings()));
    if (model.vocab_size() > model.padded_vocab_size())
      fail(faults, "model.padded_vocab_size", model.padded_vocab_size(),
           "is smaller than the vocabulary of " + text(model.vocab_size()),
           text(model.vocab_size()));
  }
  checkDropout("model.attention_dropout", model.attention_dropout(), faults);
  checkDropout("model.hidden_dropout", model.hidden_dropout(), faults);
  double epsilon = model.layernorm_epsilon();
  if (!(std::isfinite(epsilon) && epsilon > 0))
    fail(faults, "model.layernorm_epsilon", epsilon,
         "must be finite and above 0", "1e-05");
  double deviation = model.init_method_std();
  if (!(std::isfinite(deviation) && deviation >= 0))
    fail(faults, "model.init_method_std", deviation,
         "must be finite and at least 0", "0.02");
  bool half = model.dtype() == FLOAT16 || model.dtype() == BFLOAT16;
  if (!half && model.dtype() != FLOAT32)
    fail(faults, "model.dtype", int64_t(model.dtype()), "is not a known type",
         "FLOAT32");
  if (model.fp32_residual() && !half)
    fail(faults, "model.fp32_residual", int64_t(1), "needs a 16-bit type", "0");
  if (model.fp16_cross_entropy() && model.dtype() != FLOAT16)
    fail(faults, "model.fp16_cross_entropy", int64_t(1), "needs FLOAT16", "0");
}

/// What tensor parallelism splits must divide evenly.
static void checkTensor(const JobSpec &job, Diagnostics &faults) {
  const Model &model = job.model();
  int64_t tensor = job.parallel().tensor();
  std::string by =
      "is not divisible by the tensor-parallel size " + text(tensor);
  auto divides = [&](const char *field, int64_t value) {
    if (value % tensor != 0)
      fail(faults, std::string("model.") + field, value, by,
           nearestMultiple(value, tensor));
  };
  divides("num_attention_heads", model.num_attention_heads());
  divides("ffn_hidden_size", model.ffn_hidden_size());
  divides("padded_vocab_size", model.padded_vocab_size());
  if (!job.parallel().sequence_parallel())
    return;
  if (tensor == 1)
    fail(faults, "parallel.sequence_parallel", int64_t(1),
         "needs a tensor-parallel size above 1", "0");
  if (model.seq_length() % tensor != 0)
    fail(faults, "model.seq_length", model.seq_length(),
         by + " (sequence parallelism)",
         nearestMultiple(model.seq_length(), tensor));
}

/// Layers over stages, chunks and recomputed groups.
static void checkLayers(const JobSpec &job, Diagnostics &faults) {
  const Parallel &parallel = job.parallel();
  int64_t layers = job.model().num_layers();
  int64_t parts = int64_t(parallel.pipeline()) * parallel.chunks();
  if (layers % parts != 0)
    return fail(faults, "model.num_layers", layers,
                "is not divisible by the " + text(parts) + " pipeline parts",
                nearestMultiple(layers, parts));
  int64_t perPart = layers / parts, group = parallel.recompute_layers();
  auto legal = [&](int64_t size) { return perPart % size == 0; };
  if (group < 0)
    fail(faults, "parallel.recompute_layers", group, "must not be negative",
         "1");
  else if (group > 0 && !legal(group))
    fail(faults, "parallel.recompute_layers", group,
         "does not divide the " + text(perPart) + " layers of a stage",
         nearestLegal(group, 1, perPart, legal));
}

void checkParallel(const JobSpec &job, Diagnostics &faults) {
  const Parallel &parallel = job.parallel();
  const std::pair<const char *, int64_t> sizes[] = {
      {"parallel.world_size", parallel.world_size()},
      {"parallel.pipeline", parallel.pipeline()},
      {"parallel.data", parallel.data()},
      {"parallel.tensor", parallel.tensor()},
      {"parallel.chunks", parallel.chunks()}};
  size_t before = faults.size();
  for (const auto &[field, value] : sizes)
    if (value < 1)
      fail(faults, field, value, "must be at least 1", "1");
  if (faults.size() != before)
    return;
  int64_t pipelineTensor = int64_t(parallel.pipeline()) * parallel.tensor();
  if (parallel.world_size() % pipelineTensor != 0 ||
      parallel.world_size() / pipelineTensor != parallel.data())
    return fail(faults, "parallel.world_size", int64_t(parallel.world_size()),
                "is not " + text(parallel.pipeline()) + " stages x " +
                    text(parallel.data()) + " replicas x " +
                    text(parallel.tensor()) + " tensor ranks",
                "");
  Diagnostics extents;
  if (!checkExtents(job.model(), extents))
    return; // reported by checkModel
  checkTensor(job, faults);
  checkLayers(job, faults);
}

bool checkRampUp(const JobSpec &job, Diagnostics &faults) {
  const BatchRampUp &ramp = job.parallel().ramp_up();
  int64_t global = job.parallel().global_batch_size();
  constexpr int64_t kMostStages = 1000000;
  constexpr int64_t kMostSamples = int64_t(1) << 60;
  const char *field = "parallel.ramp_up";
  if (global < 1 || global > kLargest)
    return false; // reported by checkBatch
  std::string target = "the global batch size " + text(global);
  if (ramp.start() < 1)
    fail(faults, field, ramp.start(), "start must be at least 1", "1");
  else if (ramp.start() >= global)
    fail(faults, field, ramp.start(), "start must lie below " + target,
         "leave the ramp-up out");
  else if (ramp.increment() < 1)
    fail(faults, field, ramp.increment(), "increment must be at least 1", "1");
  else if ((global - ramp.start()) % ramp.increment() != 0)
    fail(faults, field, ramp.increment(),
         "increment does not divide the " + text(global - ramp.start()) +
             " samples between start and " + target,
         nearestLegal(ramp.increment(), 1, global - ramp.start(),
                      [&](int64_t increment) {
                        return (global - ramp.start()) % increment == 0;
                      }));
  else if ((global - ramp.start()) / ramp.increment() > kMostStages)
    fail(faults, field, ramp.increment(),
         "increment makes more than " + text(kMostStages) + " stages",
         text((global - ramp.start()) / kMostStages + 1));
  else if (ramp.samples() < 1 || ramp.samples() > kMostSamples)
    fail(faults, field, ramp.samples(), "samples must lie between 1 and 2^60",
         ramp.samples() < 1 ? "1" : text(kMostSamples));
  else
    return true;
  return false;
}

void checkBatch(const JobSpec &job, Diagnostics &faults) {
  const Parallel &parallel = job.parallel();
  int64_t micro = parallel.micro_batch_size();
  int64_t global = parallel.global_batch_size(), unit = 0;
  if (micro < 1 || micro > kLargest)
    return fail(faults, "parallel.micro_batch_size", micro,
                "must lie between 1 and 2^40", "1");
  if (parallel.data() < 1)
    return; // reported by checkParallel
  if (__builtin_mul_overflow(micro, int64_t(parallel.data()), &unit) ||
      unit > kLargest)
    return fail(faults, "parallel.micro_batch_size", micro,
                "times the data-parallel size exceeds 2^40", "1");
  std::string by = "is not divisible by micro batch size " + text(micro) +
                   " times data-parallel size " + text(parallel.data());
  if (global < 1 || global > kLargest || global % unit != 0)
    return fail(faults, "parallel.global_batch_size", global,
                global > kLargest ? "exceeds 2^40" : by,
                nearestMultiple(std::min(global, kLargest), unit));
  int64_t count = global / unit;
  if (parallel.chunks() > 1 && count % parallel.pipeline() != 0)
    fail(faults, "parallel.global_batch_size", global,
         "gives " + text(count) + " microbatches, not a multiple of the " +
             text(parallel.pipeline()) + " stages of an interleaved schedule",
         nearestMultiple(global, unit * parallel.pipeline()));
  if (!parallel.has_ramp_up() || !checkRampUp(job, faults))
    return;
  const BatchRampUp &ramp = parallel.ramp_up();
  for (const BatchStage &stage : batchStages(ramp, global)) {
    if (job.train().train_iters() > 0 &&
        stage.firstIteration >= job.train().train_iters())
      break;
    if (stage.batch % unit == 0)
      continue;
    return fail(faults, "parallel.ramp_up", stage.batch,
                "is the batch size from iteration " +
                    text(stage.firstIteration) + " on, which " + by,
                "start and increment that are multiples of " + text(unit));
  }
}

/// What a step holds and computes on all ranks together must stay countable:
/// bytes, with a few copies of everything, and operations below 2^63. Extents
/// are legal one by one; the largest of them is named.
static void checkSize(const JobSpec &job, Diagnostics &faults) {
  const Model &model = job.model();
  int64_t micro = job.parallel().micro_batch_size();
  double tokens =
      double(model.seq_length()) * double(micro) * job.parallel().data();
  double h = model.hidden_size(), f = model.ffn_hidden_size();
  double kn = double(model.kv_channels()) * model.num_attention_heads();
  double v = model.padded_vocab_size(), rows = model.max_position_embeddings();
  double activations =
      tokens * (model.num_layers() * (16 * h + 4 * kn + 3 * f) + 4 * v);
  double parameters =
      model.num_layers() * (4 * kn + 2 * f) * h + (v + rows) * h;
  double product =
      tokens * std::max(h * std::max({f, v, 3 * kn}), model.seq_length() * kn);
  if (activations + parameters <= 0x1p56 && product <= 0x1p60)
    return;
  Extent largest{"parallel.micro_batch_size", micro, 0, ""};
  for (const Extent &extent : extentsOf(model))
    if (extent.value > largest.value)
      largest = extent;
  fail(faults, largest.field, largest.value,
       "makes a step of more than 2^56 numbers, or a product of more than 2^60 "
       "multiplications",
       "");
}

Diagnostics check(const JobSpec &job) {
  Diagnostics faults;
  checkModel(job, faults);
  checkParallel(job, faults);
  checkBatch(job, faults);
  checkTrain(job, faults);
  checkDataAndRuntime(job, faults);
  if (faults.empty())
    checkSize(job, faults);
  return faults;
}

} // namespace orrery::job
