// The rules of optimizer, learning rate, loss scale, data and run time.
#include "frontend/job/Check.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

namespace orrery::job {

static void require(bool legal, Diagnostics &faults, const char *field,
                    double value, const char *problem,
                    const std::string &nearest) {
  if (!legal || !std::isfinite(value))
    faults.push_back({0, field, shortest(value),
                      std::isfinite(value) ? problem : "must be finite",
                      nearest});
}

static void checkOptimizer(const Train &train, Diagnostics &faults) {
  require(train.weight_decay() >= 0, faults, "train.weight_decay",
          train.weight_decay(), "must be at least 0", "0");
  require(train.clip_grad() >= 0, faults, "train.clip_grad", train.clip_grad(),
          "must be at least 0", "0");
  if (train.optimizer() == Train::SGD) {
    require(train.sgd_momentum() >= 0, faults, "train.sgd_momentum",
            train.sgd_momentum(), "must be at least 0", "0");
    return;
  }
  require(train.adam_beta1() >= 0 && train.adam_beta1() < 1, faults,
          "train.adam_beta1", train.adam_beta1(),
          "must be at least 0 and below 1", "0.9");
  require(train.adam_beta2() >= 0 && train.adam_beta2() < 1, faults,
          "train.adam_beta2", train.adam_beta2(),
          "must be at least 0 and below 1", "0.999");
  require(train.adam_eps() >= 0, faults, "train.adam_eps", train.adam_eps(),
          "must be at least 0", "1e-08");
}

/// megatron/learning_rates.py: lr >= min_lr >= 0, decay > 0, warmup < decay.
static void checkSchedule(const Train &train, Diagnostics &faults) {
  require(train.lr() >= 0, faults, "train.lr", train.lr(), "must be at least 0",
          "0");
  require(train.min_lr() >= 0, faults, "train.min_lr", train.min_lr(),
          "must be at least 0", "0");
  require(train.lr() < 0 || !(train.min_lr() > train.lr()), faults,
          "train.min_lr", train.min_lr(), "exceeds the learning rate",
          shortest(train.lr()));
  double decay = train.lr_decay_samples();
  require(decay > 0, faults, "train.lr_decay_samples", decay,
          "samples of decay: must be above 0", "1");
  double warmup = train.lr_warmup_samples();
  require(warmup >= 0, faults, "train.lr_warmup_samples", warmup,
          "samples of warm-up: must not be negative", "0");
  if (decay > 0 && warmup >= decay)
    faults.push_back({0, "train.lr_warmup_samples", shortest(warmup),
                      "samples of warm-up do not end before the " +
                          shortest(decay) + " samples of decay",
                      "less than " + shortest(decay)});
  if (train.override_lr_scheduler() && train.use_checkpoint_lr_scheduler())
    faults.push_back({0, "train.override_lr_scheduler", "",
                      "excludes the checkpoint's schedule", "one of the two"});
}

/// A loss scale of which float32 holds the inverse, too.
static void requireScale(double scale, Diagnostics &faults, const char *field,
                         const std::string &nearest) {
  if (scale > 0 && std::isfinite(scale))
    require(scale >= 0x1p-126 && scale <= 0x1p126, faults, field, scale,
            "must be between 2^-126 and 2^126", nearest);
}

static void checkLossScale(const JobSpec &job, Diagnostics &faults) {
  const Train &train = job.train();
  double constant = train.constant_loss_scale();
  require(constant >= 0, faults, "train.constant_loss_scale", constant,
          "must be above 0, or 0 for a dynamic scale", "0");
  requireScale(constant, faults, "train.constant_loss_scale", "0");
  if (job.model().dtype() != FLOAT16 || constant > 0)
    return;
  double initial = train.initial_loss_scale();
  require(initial > 0, faults, "train.initial_loss_scale", initial,
          "must be above 0", "4294967296");
  requireScale(initial, faults, "train.initial_loss_scale", "4294967296");
  double least = train.min_loss_scale();
  require(least > 0, faults, "train.min_loss_scale", least, "must be above 0",
          "1");
  requireScale(least, faults, "train.min_loss_scale", "1");
  if (initial > 0 && least > initial && least <= 0x1p126)
    require(false, faults, "train.min_loss_scale", least,
            "exceeds the initial loss scale", shortest(initial));
  // Good steps are counted; the scale doubles when they are as many.
  double window = train.loss_scale_window();
  require(window >= 1 && window == std::floor(window), faults,
          "train.loss_scale_window", window, "must be a whole number above 0",
          "1000");
  require(train.loss_scale_hysteresis() > 0, faults,
          "train.loss_scale_hysteresis", train.loss_scale_hysteresis(),
          "must be above 0", "1");
}

void checkTrain(const JobSpec &job, Diagnostics &faults) {
  const Train &train = job.train();
  checkOptimizer(train, faults);
  checkSchedule(train, faults);
  checkLossScale(job, faults);
  if (train.train_samples() < 0)
    faults.push_back({0, "train.train_samples",
                      std::to_string(train.train_samples()),
                      "must be at least one batch", "1"});
  else if (train.train_iters() < 1)
    faults.push_back(
        {0,
         train.train_samples() > 0 ? "train.train_samples"
                                   : "train.train_iters",
         std::to_string(train.train_samples() > 0 ? train.train_samples()
                                                  : train.train_iters()),
         "gives no step of training",
         train.train_samples() > 0
             ? std::to_string(job.parallel().global_batch_size())
             : "1"});
  if (train.seed() < 1 || train.seed() > (uint64_t(1) << 32) - 1)
    faults.push_back({0, "train.seed", std::to_string(int64_t(train.seed())),
                      "must lie between 1 and 4294967295",
                      int64_t(train.seed()) < 1 ? "1" : "4294967295"});
}

std::string splitFault(std::string_view split) {
  char separator = split.find(',') != std::string_view::npos ? ',' : '/';
  double sum = 0;
  int count = 0;
  while (true) {
    size_t end = split.find(separator);
    std::string_view share = split.substr(0, end);
    share.remove_prefix(std::min(share.find_first_not_of(' '), share.size()));
    share = share.substr(0, share.find_last_not_of(' ') + 1);
    double value = 0;
    auto [stop, error] =
        std::from_chars(share.data(), share.data() + share.size(), value);
    if (error != std::errc() || stop != share.data() + share.size() ||
        !std::isfinite(value) || value < 0)
      return "has the share '" + std::string(share) +
             "', which is not a number of at least 0";
    sum += value;
    ++count;
    if (end == std::string_view::npos)
      break;
    split.remove_prefix(end + 1);
  }
  if (count > 3)
    return "has " + std::to_string(count) +
           " shares; training, validation and test are 3";
  return sum > 0 ? "" : "has shares that sum to 0";
}

static void atLeast(int64_t least, const char *field, int64_t value,
                    Diagnostics &faults) {
  if (value < least)
    faults.push_back({0, field, std::to_string(value),
                      "must be at least " + std::to_string(least),
                      std::to_string(least)});
}

void checkDataAndRuntime(const JobSpec &job, Diagnostics &faults) {
  const Data &data = job.data();
  for (const Data::Source &source : data.sources()) {
    require(source.weight() > 0, faults, "data.sources", source.weight(),
            "is a weight and must be above 0", "1");
    if (source.prefix().empty())
      faults.push_back({0, "data.sources", "''", "is an empty prefix", ""});
  }
  if (std::string fault = splitFault(data.split()); !fault.empty())
    faults.push_back(
        {0, "data.split", "'" + data.split() + "'", fault, "969, 30, 1"});
  if (data.eod_token() < -1 || data.eod_token() >= job.model().vocab_size())
    faults.push_back({0, "data.eod_token", std::to_string(data.eod_token()),
                      "lies outside the vocabulary of " +
                          std::to_string(job.model().vocab_size()),
                      ""});
  const Runtime &runtime = job.runtime();
  atLeast(1, "runtime.log_interval", runtime.log_interval(), faults);
  atLeast(1, "runtime.eval_interval", runtime.eval_interval(), faults);
  atLeast(0, "runtime.eval_iters", runtime.eval_iters(), faults);
  atLeast(0, "runtime.save_interval", runtime.save_interval(), faults);
  atLeast(0, "runtime.exit_interval", runtime.exit_interval(), faults);
  atLeast(0, "runtime.exit_duration_minutes", runtime.exit_duration_minutes(),
          faults);
}

} // namespace orrery::job
