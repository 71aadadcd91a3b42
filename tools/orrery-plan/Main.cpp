// orrery-plan: shows and verifies plans.
//
//   orrery-plan show PLAN [--rank R]     what is in it; one rank's programs
//   orrery-plan verify PLAN              the complete static check
//
// Exit codes: 0 done, 1 a plan that is not well, 2 a bad command line.
#include "runtime/plan/PlanCheck.h"
#include "runtime/plan/PlanFile.h"
#include "tools/orrery-plan/Show.h"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

using namespace orrery;

static int usage(std::FILE *to = stderr) {
  std::fputs("usage: orrery-plan show PLAN [--rank R]\n"
             "       orrery-plan verify PLAN\n",
             to);
  return to == stdout ? 0 : 2;
}

static int fail(const absl::Status &status) {
  std::fprintf(stderr, "orrery-plan: error: %s\n",
               std::string(status.message()).c_str());
  return 1;
}

/// The number behind `--rank` or `--rank=`; none when it is not one.
static std::optional<int64_t> parseRank(const char *text) {
  int64_t rank = 0;
  const char *end = text + std::strlen(text);
  auto result = std::from_chars(text, end, rank);
  if (result.ec != std::errc() || result.ptr != end || rank < 0)
    return std::nullopt;
  return rank;
}

int main(int argc, char **argv) {
  std::string command, path;
  std::optional<int64_t> rank;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--rank" || argument.rfind("--rank=", 0) == 0) {
      const char *text = argument.size() > 6 ? argv[i] + 7
                         : i + 1 < argc      ? argv[++i]
                                             : "";
      if (!(rank = parseRank(text))) {
        std::fprintf(stderr, "orrery-plan: error: --rank '%s' is no rank\n",
                     text);
        return 2;
      }
    } else if (argument == "--help" || argument == "-h") {
      return usage(stdout);
    } else if (argument.rfind("--", 0) == 0) {
      std::fprintf(stderr, "orrery-plan: error: unknown option %s\n",
                   argument.c_str());
      return usage();
    } else if (command.empty()) {
      command = argument;
    } else if (path.empty()) {
      path = argument;
    } else {
      return usage();
    }
  }
  if (!command.empty() && command != "show" && command != "verify")
    std::fprintf(stderr,
                 "orrery-plan: error: '%s' is neither show nor verify\n",
                 command.c_str());
  if ((command != "show" && command != "verify") || path.empty())
    return usage();
  if (command == "verify" && rank) {
    std::fprintf(stderr, "orrery-plan: error: verify takes no --rank: it "
                         "checks the programs of all ranks\n");
    return 2;
  }
  absl::StatusOr<plan::Plan> plan = runtime::readPlan(path);
  if (!plan.ok())
    return fail(plan.status());
  if (absl::Status status = runtime::checkPlan(*plan); !status.ok())
    return fail(status);
  if (command == "verify") {
    std::printf("%s: well formed; every receive meets its send\n",
                path.c_str());
    return 0;
  }
  absl::StatusOr<std::string> text =
      rank ? describeRank(*plan, *rank) : describePlan(*plan);
  if (!text.ok())
    return fail(text.status());
  std::fputs(text->c_str(), stdout);
  return 0;
}
