// Metrics of a run as JSON lines, one object per step.
#ifndef ORRERY_RUNTIME_LOG_METRICSWRITER_H
#define ORRERY_RUNTIME_LOG_METRICSWRITER_H

#include "runtime/log/StepRecord.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace orrery::runtime {

/// {"step":1,"lm_loss":5.93462515,"grad_norm":4.72003702,"lr":0.0002,
///  "loss_scale":1,"consumed_samples":8,"skipped":false,"step_ms":12.345,
///  "tokens_per_s":41474.3}
///
/// Losses and norms have 9 significant digits, enough to tell any two float32
/// apart; `lr`, the rate applied in the step, and the scale are exact. Values
/// that are not finite or not known (the grad norm of a skipped step) are null.
/// `params_norm` and `num_zeros` are there when the job logs them.
std::string metricsLine(const StepRecord &record);

/// The mean loss of a validation or test pass after `step` steps:
/// {"step":10,"valid_lm_loss":5.13715506}; `split` is "valid" or "test".
std::string evaluationMetricsLine(int64_t step, const std::string &split,
                                  double lmLoss);

/// Appends lines to a file; each is on its way to the disk when write()
/// returns, so a run that dies leaves whole lines only.
class MetricsWriter {
public:
  /// `step`: the steps done before this run. At 0 the file begins anew; else
  /// it goes on after the lines of the earlier run, of which those of later
  /// steps (the run died after its last checkpoint) and a line cut short are
  /// dropped first, by writeFileAtomically(). Lines that name no step are kept.
  /// Errors: those of opening, reading and rewriting the file.
  static absl::StatusOr<MetricsWriter> open(const std::string &path,
                                            int64_t step);

  absl::Status write(const std::string &line);

private:
  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };
  std::string path;
  std::unique_ptr<std::FILE, Close> file;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_LOG_METRICSWRITER_H
