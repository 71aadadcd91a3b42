// Malformed command lines end orrery-compile with one clear error, exit code 1
// and no file.
#include "test/e2e/SmallJob.h"

#include <gmock/gmock.h>

#include <filesystem>

namespace orrery::test {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Case {
  const char *extra; // behind the legal arguments of pretrain_gpt.py
  const char *says;  // a part of the message
};

/// What GoogleTest prints for a case.
void PrintTo(const Case &entry, std::ostream *stream) {
  *stream << entry.extra;
}

void expectError(const Outcome &outcome, const std::string &says,
                 const std::string &plan) {
  EXPECT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("orrery-compile: error: "));
  EXPECT_THAT(outcome.output, HasSubstr(says));
  EXPECT_LT(outcome.seconds, 10);
  // Neither the plan nor the temporary file that becomes it.
  std::filesystem::path folder = std::filesystem::path(plan).parent_path();
  EXPECT_TRUE(std::filesystem::is_empty(folder)) << folder;
}

class BadArguments : public testing::TestWithParam<Case> {};

TEST_P(BadArguments, AreRefused) {
  TestFolder folder;
  std::string plan = folder / "job.plan";
  Outcome outcome =
      compileJob({"tp2pp2dp2", 2, 2, 2}, plan, words(GetParam().extra));
  expectError(outcome, GetParam().says, plan);
}

INSTANTIATE_TEST_SUITE_P(
    Options, BadArguments,
    testing::Values(
        Case{"--hidden-sise 64", "--hidden-size"},
        Case{"--num_layers 8", "--num-layers"}, Case{"--seed eight", "'eight'"},
        Case{"--seed 99999999999999999999", "64 bits"},
        Case{"--seed", "needs a value"}, Case{"--clip-grad 1.0x", "'1.0x'"},
        Case{"--fp16=1", "takes no value"},
        Case{"--lr-decay-style exponential", "constant, linear, cosine"},
        Case{"--optimizer adma", "nearest legal choice: adam"},
        Case{"stray", "'stray'"},
        Case{"--tensor-model-parallel-size 16", "nearest legal choice: 4"},
        Case{"--tensor-model-parallel-size 3", "nearest legal choice: 2"},
        Case{"--tensor-model-parallel-size 0", "at least 1"},
        Case{"--pipeline-model-parallel-size 3", "nearest legal choice: 2"},
        Case{"--pipeline-model-parallel-size -1", "at least 1"},
        Case{"--num-layers 7", "nearest legal choice: 6"},
        Case{"--num-attention-heads 5 --kv-channels 16", "choice: 4"},
        Case{"--ffn-hidden-size 255", "choice: 254"},
        Case{"--batch-size 4", "--micro-batch-size"},
        Case{"--micro-batch-size 0", "at least 1"},
        Case{"--micro-batch-size 3", "nearest legal choice"},
        Case{"--global-batch-size 0", "--global-batch-size 0"},
        Case{"--rampup-batch-size 4 4 160", "--train-samples"},
        Case{"--train-samples 1600", "--train-iters"},
        Case{"--train-iters 0", "--train-iters 0"}, Case{"--lr nan", "finite"},
        Case{"--min-lr 0.01", "exceeds"},
        Case{"--lr-warmup-iters 5", "--lr-warmup-fraction"},
        Case{"--max-position-embeddings 32", "--max-position-embeddings 32"},
        Case{"--vocab-file /does/not/exist.json", "/does/not/exist.json"},
        Case{"--checkpoint-activations --checkpoint-num-layers 0",
             "nearest legal choice: 1"},
        Case{"--num-layers-per-virtual-pipeline-stage 1",
             "not supported yet"}));

struct CompilerCase {
  std::vector<std::string> options; // "--out=PLAN" is added
  const char *says;
};

TEST(BadCompilerOptions, AreRefused) {
  const std::vector<CompilerCase> cases = {
      {{}, "the number of ranks is not given; add --world-size=N"},
      {{"--world-size=0"}, "--world-size=0 is below the least, 1"},
      {{"--world-size=-4"}, "--world-size=-4 is below the least, 1"},
      {{"--world-size=four"}, "four is no whole number"},
      {{"--world-sise=8"}, "nearest legal choice: --world-size"},
      {{"--world-size=8", "stray"}, "'stray' is no option"},
      {{"--world-size=8", "--from=tensorflow"}, "megatron-lm"},
      {{"--world-size=8", "--target=tpu"}, "cpu"},
      {{"--world-size=8", "--target=sm_90a"}, "e.g. sm_90"},
      {{"--world-size=8", "--target=sm_75"}, "below the least, sm_80"},
      {{"--world-size=8", "--target=sm_999"}, "try sm_80 or sm_90"},
      {{"--world-size=8", "--cpu=abacus"},
       "error: the job compiles, but not to code for --target=cpu with "
       "--cpu=abacus\n  note: unknown cpu"},
      {{"--world-size=8", "--device-memory=lots"}, "80GiB"},
      {{"--world-size=8", "--device-memory=0.5"}, "80GiB"},
      {{"--world-size=8", "--device-memory=80"}, "80 bytes, below the least"},
      {{"--world-size=8", "--device-memory=9999999TiB"}, "80GiB"},
      {{"--world-size=8", "--vocab-size=0"}, "--vocab-size"},
      {{"--world-size=8", "--stop-after=lunch"}, "stages: "},
      {{"--hostfile=/does/not/exist"}, "/does/not/exist"},
  };
  for (const CompilerCase &entry : cases) {
    TestFolder folder;
    std::string plan = folder / "job.plan";
    std::vector<std::string> command = {tool("orrery-compile"),
                                        "--out=" + plan};
    command.insert(command.end(), entry.options.begin(), entry.options.end());
    command.push_back("--");
    for (const std::string &word : megatronArguments({"tp2pp2dp2", 2, 2, 2}))
      command.push_back(word);
    SCOPED_TRACE(entry.says);
    expectError(run(command), entry.says, plan);
  }
}

TEST(BadCompilerOptions, ATooSmallDeviceIsNamedWithItsContributors) {
  TestFolder folder;
  std::string plan = folder / "job.plan";
  std::vector<std::string> command = {tool("orrery-compile"), "--out=" + plan,
                                      "--world-size=1", "--device-memory=1MiB",
                                      "--"};
  for (const std::string &word : megatronArguments({"one"}))
    command.push_back(word);
  Outcome outcome = run(command);
  EXPECT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_FALSE(std::filesystem::exists(plan));
  EXPECT_THAT(outcome.output,
              HasSubstr("orrery-compile: error: the job does not fit "
                        "--device-memory: it needs "));
  EXPECT_THAT(outcome.output,
              HasSubstr(" per rank of stage 0, the device has 1.00 MiB\n"
                        "  note: needs less: "
                        "behind --: --checkpoint-activations, "));
  EXPECT_THAT(outcome.output, HasSubstr("--tensor-model-parallel-size (is 1)"));
  EXPECT_THAT(outcome.output, HasSubstr(" and more ranks (are 1)"));
  EXPECT_THAT(outcome.output, HasSubstr("note: weight: "));
  EXPECT_THAT(outcome.output, Not(HasSubstr("op needs")));
}

TEST(BadCompilerOptions, BehindTheSeparatorTheyAreToldTheirPlace) {
  Outcome outcome = run({tool("orrery-compile"), "--out=/tmp/none.plan", "--",
                         "pretrain_gpt.py", "--world-size=2"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output,
              HasSubstr("--world-size stands behind --; put it in front"));
  std::vector<std::string> command = {
      tool("orrery-compile"), "--out=/tmp/none.plan", "--world-size=1", "--"};
  for (const std::string &word : megatronArguments({"one"}))
    command.push_back(word);
  command.push_back("--device-memory=80GiB");
  outcome = run(command);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("--device-memory in front of --"));
}

TEST(BadCompilerOptions, PiecesOfNoCollectiveHaveNoEffect) {
  TestFolder folder;
  std::vector<std::string> command = {
      tool("orrery-compile"), "--out=" + (folder / "job.plan"),
      "--world-size=1", "--collective-pieces=4", "--"};
  for (const std::string &word : megatronArguments({"one"}))
    command.push_back(word);
  Outcome outcome = run(command);
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              HasSubstr("--collective-pieces=4 has no effect without "
                        "--sequence-parallel"));
}

TEST(BadCompilerOptions, AnUnwritablePlanIsAnError) {
  Outcome outcome = compileJob({"one"}, "/proc/job.plan");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("error: cannot create '/proc/job."));
}

TEST(BadCompilerOptions, APlanInAnAbsentFolderIsRefusedBeforeCompiling) {
  TestFolder folder;
  Outcome outcome = compileJob({"one"}, folder / "absent/job.plan");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output,
              HasSubstr("/absent/job.plan: there is no folder '"));
  EXPECT_FALSE(std::filesystem::exists(folder / "absent"));
  outcome = compileJob({"one"}, folder / "");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr(" is a folder; name a file in it"));
}

TEST(BadCompilerOptions, AForgottenSeparatorIsNamed) {
  TestFolder folder;
  std::string plan = folder / "job.plan";
  std::vector<std::string> command = {tool("orrery-compile"), "--world-size=8",
                                      "--out=" + plan};
  for (const std::string launcher : {"", "python3"}) {
    std::vector<std::string> all = command;
    if (!launcher.empty())
      all.push_back(launcher);
    for (const std::string &word : megatronArguments({"tp2pp2dp2", 2, 2, 2}))
      all.push_back(word);
    expectError(run(all),
                "-- is missing in front of the training command "
                "'pretrain_gpt.py'; write: orrery-compile --world-size=8 "
                "--out=" +
                    plan + " -- pretrain_gpt.py <arguments>\n",
                plan);
  }
  command.push_back("--num-layers=4");
  expectError(run(command),
              "no such option: --num-layers; options of training stand behind "
              "-- and its program",
              plan);
}

TEST(BadCompilerOptions, AProgramThatIsNotSupportedIsNamed) {
  TestFolder folder;
  std::string plan = folder / "job.plan";
  expectError(run({tool("orrery-compile"), "--world-size=1", "--out=" + plan,
                   "--", "pretrain_bert.py", "--num-layers", "4"}),
              "pretrain_bert.py", plan);
}

} // namespace
} // namespace orrery::test
