// The runtime's log: lines for people, each with the rank it comes from.
#ifndef ORRERY_RUNTIME_LOG_LOG_H
#define ORRERY_RUNTIME_LOG_LOG_H

#include "absl/status/status.h"

#include <cstdint>
#include <memory>
#include <spdlog/spdlog.h>
#include <string>

namespace orrery::runtime {

/// Makes spdlog's default logger one that writes to standard error as
///
///   [rank 03 12:34:56.789 info] message
///
/// with as many digits as the largest rank has. Warnings and errors are written
/// at once. Ranks other than `speaker` log warnings and errors only. `level` is
/// trace, debug, info, warning, error or off; InvalidArgument for any other.
absl::Status openLog(int32_t rank, int32_t worldSize, int32_t speaker = 0,
                     const std::string &level = "info");

/// Where the originals' own lines go (IterationLine): standard output, bare, so
/// that scripts that read it go on working. Every line is flushed.
void printLine(const std::string &line);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_LOG_LOG_H
