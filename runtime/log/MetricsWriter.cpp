// Formats and writes metrics.
#include "runtime/log/MetricsWriter.h"

#include "runtime/plan/AtomicFile.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace orrery::runtime {

namespace {

std::string number(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}g}", value, digits) : "null";
}

std::string number(std::optional<double> value, int digits) {
  return value ? number(*value, digits) : "null";
}

// Whether a line is of a step beyond `step`, or the beginning of a line of ours
// whose end was never written (only the last of a file can be, see `ended`).
bool isStale(const std::string &line, bool ended, int64_t step) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (json.is_discarded())
    return !ended && absl::StartsWith(line, "{\"step\":");
  if (!json.is_object())
    return false;
  const auto found = json.find("step");
  return found != json.end() && found->is_number() &&
         found->get<double>() > static_cast<double>(step);
}

// Leaves the lines that a run going on behind `step` does not write again, each
// with its end. A file in order, or that is no regular one, is not touched.
absl::Status dropStaleLines(const std::string &path, int64_t step) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return absl::OkStatus();
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return errnoStatus(errno, absl::StrCat("read metrics file '", path, "'"));
  std::string kept;
  int64_t dropped = 0;
  bool ended = true;
  for (std::string line; std::getline(file, line);) {
    ended = !file.eof();
    if (isStale(line, ended, step))
      ++dropped;
    else
      absl::StrAppend(&kept, line, "\n");
  }
  if (file.bad())
    return errnoStatus(errno, absl::StrCat("read metrics file '", path, "'"));
  if (dropped == 0 && ended)
    return absl::OkStatus();
  // Behind a link, the file is replaced and not the link.
  const std::filesystem::path target = std::filesystem::canonical(path, error);
  if (error)
    return errnoStatus(error.value(),
                       absl::StrCat("find metrics file '", path, "'"));
  if (dropped > 0)
    spdlog::info("dropped {} lines beyond step {} from metrics file '{}'",
                 dropped, step, path);
  return writeFileAtomically(target.string(), {kept});
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
                                                  int64_t step) {
  if (step > 0)
    if (absl::Status status = dropStaleLines(path, step); !status.ok())
      return status;
  MetricsWriter writer;
  writer.path = path;
  writer.file.reset(std::fopen(path.c_str(), step > 0 ? "ae" : "we"));
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
