// Choices of algorithms as text and file.
#include "runtime/device/cuda/GemmAlgorithms.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/device/cuda/GemmProblem.h"
#include "runtime/plan/AtomicFile.h"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <vector>
#include <xxhash.h>

namespace orrery::runtime::cuda {
namespace {

constexpr absl::string_view kTitle = "orrery matrix products 3";
constexpr absl::string_view kPlatform = "platform ";
constexpr absl::string_view kChecksum = "checksum ";
constexpr size_t kAlgorithmDigits = 128;

std::string checksumLine(absl::string_view body) {
  return absl::StrFormat("%s%016x\n", kChecksum,
                         XXH3_64bits(body.data(), body.size()));
}

bool parseAlgorithm(absl::string_view digits, GemmChoice &choice) {
  if (digits.size() != kAlgorithmDigits)
    return false;
  for (size_t i = 0; i < choice.algorithm.size(); ++i)
    if (!absl::SimpleHexAtoi(digits.substr(i * 16, 16), &choice.algorithm[i]))
      return false;
  return true;
}

// "<algorithm> fused|separate <microseconds> <key>"
absl::Status parseLine(absl::string_view line, GemmAlgorithms &algorithms) {
  std::vector<std::string> parts =
      absl::StrSplit(line, absl::MaxSplits(' ', 3));
  GemmChoice choice;
  if (parts.size() != 4 || !parseAlgorithm(parts[0], choice) ||
      (parts[1] != "fused" && parts[1] != "separate") ||
      !absl::SimpleAtod(parts[2], &choice.microseconds))
    return absl::InvalidArgumentError(
        absl::StrCat("no choice of an algorithm: '", line, "'"));
  choice.separateEpilogue = parts[1] == "separate";
  absl::StatusOr<GemmProblem> problem = GemmProblem::fromKey(parts[3]);
  if (!problem.ok())
    return problem.status();
  algorithms.set(problem->key(), choice);
  return absl::OkStatus();
}

} // namespace

const GemmChoice *GemmAlgorithms::find(const std::string &key) const {
  auto found = choices.find(key);
  return found == choices.end() ? nullptr : &found->second;
}

void GemmAlgorithms::set(const std::string &key, const GemmChoice &choice) {
  choices[key] = choice;
}

std::string GemmAlgorithms::text() const {
  std::string out = absl::StrCat(kTitle, "\n", kPlatform, on, "\n");
  for (const auto &[key, choice] : choices) {
    for (uint64_t word : choice.algorithm)
      absl::StrAppendFormat(&out, "%016x", word);
    absl::StrAppendFormat(&out, " %s %.1f %s\n",
                          choice.separateEpilogue ? "separate" : "fused",
                          choice.microseconds, key);
  }
  return out + checksumLine(out);
}

absl::StatusOr<GemmAlgorithms> GemmAlgorithms::parse(absl::string_view text) {
  auto fault = [](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("choices of matrix product algorithms: ", what));
  };
  const size_t end = text.rfind(kChecksum);
  if (end == absl::string_view::npos ||
      text.substr(end) != checksumLine(text.substr(0, end)))
    return fault("the checksum is missing or wrong");
  std::vector<absl::string_view> lines =
      absl::StrSplit(text.substr(0, end), '\n');
  if (lines.size() < 3 || lines[0] != kTitle ||
      !absl::ConsumePrefix(&lines[1], kPlatform) || !lines.back().empty())
    return fault("not written by this version");
  GemmAlgorithms algorithms{std::string(lines[1])};
  for (size_t i = 2; i + 1 < lines.size(); ++i)
    if (absl::Status status = parseLine(lines[i], algorithms); !status.ok())
      return fault(absl::StrCat("line ", i + 1, ": ", status.message()));
  return algorithms;
}

absl::Status GemmAlgorithms::save(const std::string &path) const {
  return writeFileAtomically(path, {text()});
}

absl::StatusOr<GemmAlgorithms> GemmAlgorithms::load(const std::string &path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return errnoStatus(errno ? errno : EIO, absl::StrCat("open '", path, "'"));
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad())
    return errnoStatus(errno ? errno : EIO, absl::StrCat("read '", path, "'"));
  absl::StatusOr<GemmAlgorithms> algorithms = parse(text.str());
  if (!algorithms.ok())
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "': ", algorithms.status().message()));
  return algorithms;
}

} // namespace orrery::runtime::cuda
