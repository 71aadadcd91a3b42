// What orrery-compile keeps for the backward, by --activations and
// --device-memory.
#include "test/e2e/Process.h"
#include "test/e2e/SmallJob.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

namespace orrery::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

/// orrery-compile of the small job with these options of its own.
Outcome compileWith(const std::string &target, const std::string &options) {
  std::vector<std::string> command =
      words(tool("orrery-compile") + " --world-size=1 --target=" + target +
            " " + options + " --");
  for (const std::string &word : megatronArguments({"one"}))
    command.push_back(word);
  return run(command);
}

/// Largest arena, in MiB, as the compiler tells it.
double peakOf(const Outcome &outcome) {
  size_t at = outcome.output.find("at most ");
  EXPECT_NE(at, std::string::npos) << outcome.output;
  return at == std::string::npos ? 0 : std::stod(outcome.output.substr(at + 8));
}

std::string contentsOf(const std::string &path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

class Activations : public testing::Test {
protected:
  double peak(const std::string &target, const std::string &options) {
    return peakOf(compileWith(target, options + " --out=" + (folder / "plan")));
  }
  TestFolder folder;
};

TEST_F(Activations, AreKeptOnGpusUnlessToldOtherwise) {
  double small = peak("sm_90", "--activations=small");
  double fast = peak("sm_90", "--activations=fast");
  EXPECT_LT(small, fast);
  EXPECT_EQ(peak("sm_90", ""), fast);
  EXPECT_EQ(peak("cpu", ""), peak("cpu", "--activations=small"));
  EXPECT_LT(peak("cpu", ""), peak("cpu", "--activations=fast"));
}

TEST_F(Activations, AreFewerWhereTheDeviceIsSmaller) {
  double small = peak("sm_90", "--activations=small");
  double fast = peak("sm_90", "--activations=fast");
  std::string between = std::to_string((small + fast) / 2) + "MiB";
  std::string plan = " --out=" + (folder / "plan");
  Outcome outcome = compileWith("sm_90", "--device-memory=" + between + plan);
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              ContainsRegex("activations: small, since fast would need .*MiB"));
  EXPECT_EQ(peakOf(outcome), small);
  outcome = compileWith("sm_90", "--device-memory=80GiB" + plan);
  EXPECT_THAT(outcome.output, Not(HasSubstr("activations")));
  EXPECT_EQ(peakOf(outcome), fast);
  outcome = compileWith("sm_90",
                        "--activations=fast --device-memory=" + between + plan);
  EXPECT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("the device has"));
}

/// What an early stage shows is what the plan would have.
TEST_F(Activations, AreChosenBeforeTheStageThatIsStoppedAt) {
  double small =
      peak("sm_90", "--activations=small --dump-ir=" + (folder / "small"));
  double fast = peak("sm_90", "--activations=fast");
  Outcome outcome = compileWith(
      "sm_90",
      "--device-memory=" + std::to_string((small + fast) / 2) +
          "MiB --stop-after=differentiate --dump-ir=" + (folder / "stopped"));
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_EQ(contentsOf(folder / "stopped/02-differentiate.mlir"),
            contentsOf(folder / "small/02-differentiate.mlir"));
}

/// Under sequence parallelism the inputs of products are gathered; small keeps
/// the parts. Two a layer are gathered again.
TEST_F(Activations, AreGatheredAgainWhereMemoryMatters) {
  auto gathers = [&](const std::string &activations) {
    const Layout layout{activations, 2, 1, 1, true, 0, activations};
    const std::string plan = folder / (activations + ".plan");
    EXPECT_EQ(compileJob(layout, plan).code, 0);
    Outcome shown = run({tool("orrery-plan"), "show", plan, "--rank", "0"});
    std::istringstream lines(shown.output);
    int64_t count = 0;
    bool backward = false;
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("program ", 0) == 0)
        backward = line.rfind("program backward", 0) == 0;
      count += backward && line.find(" all_gather ") != std::string::npos;
    }
    return count;
  };
  constexpr int64_t layers = 4;
  // The head's, too.
  EXPECT_EQ(gathers("small"), gathers("fast") + 2 * layers + 1);
}

} // namespace
} // namespace orrery::test
