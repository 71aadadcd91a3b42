// Formats and writes metrics.
#include "runtime/log/MetricsWriter.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <cerrno>
#include <cmath>
#include <fmt/format.h>

namespace orrery::runtime {

namespace {

std::string number(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}g}", value, digits) : "null";
}

std::string number(std::optional<double> value, int digits) {
  return value ? number(*value, digits) : "null";
}

} // namespace

std::string metricsLine(const StepRecord &record) {
  std::string line = fmt::format(
      R"({{"step":{},"lm_loss":{},"grad_norm":{},"lr":{},"loss_scale":{},)",
      record.step, number(record.lmLoss, 9), number(record.gradNorm, 9),
      number(record.learningRate, 17), number(record.lossScale, 17));
  line += fmt::format(R"("consumed_samples":{},"skipped":{},"step_ms":{},)",
                      record.consumedSamples, record.skipped,
                      number(record.milliseconds, 6));
  line +=
      fmt::format(R"("tokens_per_s":{})", number(record.tokensPerSecond(), 6));
  if (record.paramsNorm)
    line += fmt::format(R"(,"params_norm":{})", number(*record.paramsNorm, 9));
  if (record.numZeros)
    line += fmt::format(R"(,"num_zeros":{})", number(*record.numZeros, 9));
  return line + "}";
}

std::string evaluationMetricsLine(int64_t step, const std::string &split,
                                  double lmLoss) {
  return fmt::format(R"({{"step":{},"{}_lm_loss":{}}})", step, split,
                     number(lmLoss, 9));
}

absl::StatusOr<MetricsWriter> MetricsWriter::open(const std::string &path,
                                                  bool append) {
  MetricsWriter writer;
  writer.path = path;
  writer.file.reset(std::fopen(path.c_str(), append ? "ae" : "we"));
  if (!writer.file)
    return absl::ErrnoToStatus(errno,
                               absl::StrCat("cannot open metrics file ", path));
  return writer;
}

absl::Status MetricsWriter::write(const std::string &line) {
  const std::string text = line + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() ||
      std::fflush(file.get()) != 0)
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot write metrics file ", path));
  return absl::OkStatus();
}

} // namespace orrery::runtime
