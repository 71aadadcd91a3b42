// The plan on disk: a frame of 40 bytes around the serialised plan.Plan.
//
//   bytes  0.. 7   magic "ORRERYPL"
//   bytes  8..11   version of the frame and the schema, little-endian, now 1
//   bytes 12..15   zero
//   bytes 16..23   length of the payload in bytes
//   bytes 24..31   XXH3_64 of the payload
//   bytes 32..39   XXH3_64 of bytes 0..31
//   bytes 40..     the payload, up to the end of the file
//
// Every bit of a file is covered, so that any flipped bit, any truncation and
// any trailing byte is found before the payload is parsed.
#ifndef ORRERY_RUNTIME_PLAN_PLANFILE_H
#define ORRERY_RUNTIME_PLAN_PLANFILE_H

#include "runtime/plan/Plan.pb.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "absl/strings/string_view.h"
#include <cstdint>
#include <string>

namespace orrery::runtime {

/// The version this build writes and reads; also the value of Plan.format.
constexpr uint32_t kPlanFormat = 1;

/// Writes `plan` to `path` through a temporary file; `path` holds the whole
/// plan or what it held before. Sets Plan.format to kPlanFormat in the file.
/// The same plan gives the same bytes.
absl::Status writePlan(const plan::Plan &plan, const std::string &path);

/// Reads the frame and the payload; does not look into the plan (PlanCheck.h).
/// NotFound: no such file. DataLoss: truncated, changed or trailing bytes.
/// FailedPrecondition: another version. InvalidArgument: another kind of file.
absl::StatusOr<plan::Plan> readPlan(const std::string &path);

/// readPlan over bytes in memory; `name` stands for the path in messages.
absl::StatusOr<plan::Plan> parsePlan(absl::string_view bytes,
                                     const std::string &name);

/// The bytes that writePlan writes.
absl::StatusOr<std::string> framePlan(const plan::Plan &plan);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_PLANFILE_H
