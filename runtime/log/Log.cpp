// Sets up spdlog with the rank in the pattern.
#include "runtime/log/Log.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cstdio>
#include <spdlog/sinks/stdout_sinks.h>

namespace orrery::runtime {

absl::Status openLog(int32_t rank, int32_t worldSize, int32_t speaker,
                     const std::string &level) {
  const spdlog::level::level_enum threshold = spdlog::level::from_str(level);
  if (threshold == spdlog::level::off && level != "off")
    return absl::InvalidArgumentError(
        absl::StrCat("log level '", level,
                     "' is none of trace, debug, info, warning, error, off"));
  auto logger = std::make_shared<spdlog::logger>(
      "orrery", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  const size_t digits = fmt::formatted_size("{}", std::max(0, worldSize - 1));
  logger->set_pattern(
      fmt::format("[rank {:0{}} %H:%M:%S.%e %l] %v", rank, digits));
  logger->set_level(rank == speaker ? threshold
                                    : std::max(threshold, spdlog::level::warn));
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

void printLine(const std::string &line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

} // namespace orrery::runtime
