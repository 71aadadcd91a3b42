// Starting values, and the rule when job and checkpoint disagree.
#include "runtime/checkpoint/TrainingState.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace orrery::runtime {

static LossScaleState initialLossScale(const job::JobSpec &job) {
  const job::Train &train = job.train();
  LossScaleState state;
  state.hysteresis = train.loss_scale_hysteresis();
  bool is16Bit = job.model().dtype() == job::FLOAT16 ||
                 job.model().dtype() == job::BFLOAT16;
  if (is16Bit && train.constant_loss_scale() > 0)
    state.scale = train.constant_loss_scale();
  else if (job.model().dtype() == job::FLOAT16)
    state.scale = train.initial_loss_scale();
  return state;
}

TrainingState initialState(const job::JobSpec &job) {
  const job::Train &train = job.train();
  TrainingState state;
  state.schedule = {train.lr(),
                    train.min_lr(),
                    train.decay(),
                    train.lr_warmup_samples(),
                    train.lr_decay_samples(),
                    0};
  state.lossScale = initialLossScale(job);
  return state;
}

static std::string differences(const ScheduleState &job,
                               const ScheduleState &saved) {
  std::vector<std::string> lines;
  auto compare = [&](absl::string_view name, double ours, double theirs) {
    if (ours != theirs)
      lines.push_back(absl::StrCat(name, " is ", ours, " in the job and ",
                                   theirs, " in the checkpoint"));
  };
  compare("learning rate", job.maxLr, saved.maxLr);
  compare("minimum learning rate", job.minLr, saved.minLr);
  compare("warm-up samples", job.warmupSamples, saved.warmupSamples);
  compare("decay samples", job.decaySamples, saved.decaySamples);
  if (job.decay != saved.decay)
    lines.push_back(
        absl::StrCat("decay style is ", job::Train::Decay_Name(job.decay),
                     " in the job and ", job::Train::Decay_Name(saved.decay),
                     " in the checkpoint"));
  return absl::StrJoin(lines, ", ");
}

absl::StatusOr<ScheduleState> resumeSchedule(const job::JobSpec &job,
                                             const ScheduleState &saved,
                                             std::vector<std::string> &notes) {
  ScheduleState ours = initialState(job).schedule;
  ours.samples = saved.samples;
  std::string changed = differences(ours, saved);
  if (changed.empty())
    return ours;
  if (job.train().override_lr_scheduler()) {
    notes.push_back(
        absl::StrCat("learning-rate schedule of the job is used: ", changed));
    return ours;
  }
  if (job.train().use_checkpoint_lr_scheduler()) {
    notes.push_back(absl::StrCat(
        "learning-rate schedule of the checkpoint is used: ", changed));
    return saved;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "the learning-rate schedule differs from the checkpoint's: ", changed,
      "; choose one with --override-lr-scheduler (the job's) or "
      "--use-checkpoint-lr-scheduler"));
}

} // namespace orrery::runtime
