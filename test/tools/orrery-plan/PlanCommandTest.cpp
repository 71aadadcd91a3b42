// The command lines and exit codes of orrery-plan.
#include "runtime/plan/PlanFile.h"
#include "test/runtime/plan/ToyPlan.h"

#include <gmock/gmock.h>

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>

using namespace orrery;
using testing::HasSubstr;

namespace {

struct Result {
  int code = -1;
  std::string text; // standard output and error
};

Result run(const std::string &arguments) {
  Result result;
  std::string command =
      std::string(ORRERY_PLAN) + " " + arguments + " 2>&1 </dev/null";
  std::FILE *pipe = popen(command.c_str(), "r");
  if (!pipe)
    return result;
  std::array<char, 4096> bytes;
  while (size_t count = std::fread(bytes.data(), 1, bytes.size(), pipe))
    result.text.append(bytes.data(), count);
  int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

class PlanCommand : public testing::Test {
protected:
  void SetUp() override {
    path = testing::TempDir() + "orrery-plan-test.plan";
    ASSERT_TRUE(
        runtime::writePlan(test::toyPlan({.pp = 2, .tp = 2}), path).ok());
  }
  void TearDown() override { std::remove(path.c_str()); }

  std::string path;
};

TEST_F(PlanCommand, ShowsVerifiesAndExitsWithZero) {
  EXPECT_EQ(run("show " + path).code, 0);
  EXPECT_EQ(run("show " + path + " --rank 3").code, 0);
  EXPECT_EQ(run("show --rank=3 " + path).code, 0);
  EXPECT_EQ(run("verify " + path).code, 0);
}

TEST_F(PlanCommand, ExitsWithTwoOnABadCommandLine) {
  for (const char *arguments :
       {"", "show", "frobnicate x", "show --rank=two x", "show x --rank",
        "show x --rank=-1", "show x y z", "show --frobnicate x"})
    EXPECT_EQ(run(arguments).code, 2) << arguments;
}

TEST_F(PlanCommand, SaysWhatIsWrongWithAFile) {
  Result absent = run("show " + path + ".absent");
  EXPECT_EQ(absent.code, 1);
  EXPECT_THAT(absent.text, HasSubstr(path + ".absent"));
  Result beyond = run("show --rank=4 " + path);
  EXPECT_EQ(beyond.code, 1);
  EXPECT_THAT(beyond.text, HasSubstr("4"));
  std::ofstream(path, std::ios::app) << "x";
  Result longer = run("verify " + path);
  EXPECT_EQ(longer.code, 1);
  EXPECT_THAT(longer.text, HasSubstr(path));
}

} // namespace
