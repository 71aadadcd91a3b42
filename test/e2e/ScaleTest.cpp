// The largest published jobs compile in seconds on a laptop: time, memory and
// plan size grow with distinct stages, not with ranks.
#include "test/e2e/Process.h"
#include "test/e2e/SmallJob.h"

#include <gmock/gmock.h>

#include <filesystem>

namespace orrery::test {
namespace {

using testing::HasSubstr;

struct LargeJob {
  const char *name, *target;
  int ranks;
  const char *arguments;
  std::vector<const char *> shown; // by orrery-plan
};
void PrintTo(const LargeJob &job, std::ostream *stream) { *stream << job.name; }

class LargeJobs : public testing::TestWithParam<LargeJob> {};

TEST_P(LargeJobs, CompileInSecondsAndAreShown) {
  const LargeJob &job = GetParam();
  TestFolder folder;
  std::string plan = folder / "large.plan";
  std::vector<std::string> command = words(
      tool("orrery-compile") + " --target=" + job.target + " --world-size=" +
      std::to_string(job.ranks) + " --vocab-size=50257 --out=" + plan +
      " -- pretrain_gpt.py --seq-length 2048 --max-position-embeddings 2048 "
      "--micro-batch-size 1 --global-batch-size 1536 --train-iters 1000 "
      "--lr 6e-5 --data-path absent --vocab-file absent " +
      job.arguments);
  Outcome compiled = run(command);
  ASSERT_EQ(compiled.code, 0) << compiled.output;
  EXPECT_LT(compiled.seconds, 10);
  EXPECT_LT(compiled.peakBytes, int64_t(2) << 30);
  EXPECT_LT(std::filesystem::file_size(plan), uintmax_t(20) << 20);

  Outcome verified = run({tool("orrery-plan"), "verify", plan});
  EXPECT_EQ(verified.code, 0) << verified.output;
  Outcome shown = run({tool("orrery-plan"), "show", plan});
  ASSERT_EQ(shown.code, 0) << shown.output;
  for (const char *part : job.shown)
    EXPECT_THAT(shown.output, HasSubstr(part));
  Outcome lastRank = run({tool("orrery-plan"), "show", plan,
                          "--rank=" + std::to_string(job.ranks - 1)});
  EXPECT_EQ(lastRank.code, 0) << lastRank.output;
}

// Parameters: 12 L h^2 + 13 L h + (V + s) h + 2 h.
INSTANTIATE_TEST_SUITE_P(
    Gpt, LargeJobs,
    testing::Values(
        LargeJob{"175B",
                 "cpu",
                 1536,
                 "--num-layers 96 --hidden-size 12288 "
                 "--num-attention-heads 96 --tensor-model-parallel-size 8 "
                 "--pipeline-model-parallel-size 8",
                 {"pp 8 × dp 24 × tp 8 = 1,536 ranks",
                  "174,615,846,912 parameters", "6 stages, 1 to 6",
                  "all_reduce"}},
        LargeJob{"175BOnGpus",
                 "sm_90",
                 1536,
                 "--num-layers 96 --hidden-size 12288 "
                 "--num-attention-heads 96 --tensor-model-parallel-size 8 "
                 "--pipeline-model-parallel-size 8 --sequence-parallel --bf16",
                 {"pp 8 × dp 24 × tp 8 = 1,536 ranks", "sm_90", "bfloat16",
                  "174,615,846,912 parameters", "6 stages, 1 to 6",
                  "all_gather", "reduce_scatter"}},
        LargeJob{"1T",
                 "cpu",
                 3072,
                 "--num-layers 128 --hidden-size 25600 "
                 "--num-attention-heads 160 --tensor-model-parallel-size 8 "
                 "--pipeline-model-parallel-size 64",
                 {"pp 64 × dp 6 × tp 8 = 3,072 ranks",
                  "1,008,038,758,400 parameters", "62 stages, 1 to 62",
                  "all_reduce"}}),
    [](const testing::TestParamInfo<LargeJob> &info) {
      return std::string("Parameters") + info.param.name;
    });

} // namespace
} // namespace orrery::test
