// Command lines of the small job.
#include "test/e2e/SmallJob.h"

#include <cstdlib>
#include <filesystem>

namespace orrery::test {

using std::chrono::seconds;

TestFolder::TestFolder() {
  std::string pattern = testing::TempDir() + "orrery-e2e-XXXXXX";
  path = mkdtemp(pattern.data()) ? pattern : "";
  EXPECT_FALSE(path.empty())
      << "cannot make a folder in " << testing::TempDir();
}

TestFolder::~TestFolder() {
  std::error_code ignored; // a folder left behind is no fault of the test
  if (!path.empty())
    std::filesystem::remove_all(path, ignored);
}

std::string tool(const std::string &name) {
  return std::string(ORRERY_BIN) + "/" + name;
}

const std::string &tokenFiles() {
  static TestFolder folder;
  static const std::string prefix = [] {
    std::string path = folder / "licence";
    Outcome outcome =
        run({tool("orrery-data"), "--split-lines", "--out=" + path,
             std::string(ORRERY_SOURCE) + "/LICENSE"});
    EXPECT_EQ(outcome.code, 0) << outcome.output;
    return path;
  }();
  return prefix;
}

std::vector<std::string> megatronArguments(const Layout &layout) {
  std::vector<std::string> arguments = words(
      "pretrain_gpt.py --num-layers 4 --hidden-size 64 "
      "--num-attention-heads 4 --seq-length 64 --max-position-embeddings 64 "
      "--micro-batch-size 2 --global-batch-size 8 --train-iters 30 --lr 1e-3 "
      "--min-lr 1e-5 --lr-decay-style cosine --lr-warmup-fraction 0.1 "
      "--clip-grad 1.0 --split 90,9,1 --log-interval 10 --eval-interval 10 "
      "--eval-iters 1 --tensor-model-parallel-size " +
      std::to_string(layout.tp) + " --pipeline-model-parallel-size " +
      std::to_string(layout.pp) + " --make-vocab-size-divisible-by " +
      std::to_string(128 / layout.tp) + " --data-path " + tokenFiles() +
      " --vocab-file " + tokenFiles() + ".vocab.json");
  if (layout.sequenceParallel)
    arguments.push_back("--sequence-parallel");
  return arguments;
}

Outcome compileJob(const Layout &layout, const std::string &plan,
                   const std::vector<std::string> &more) {
  std::vector<std::string> command = {
      tool("orrery-compile"), "--from=megatron-lm",
      "--world-size=" + std::to_string(layout.ranks()), "--target=cpu",
      "--out=" + plan};
  if (layout.pieces > 0)
    command.push_back("--collective-pieces=" + std::to_string(layout.pieces));
  if (!layout.activations.empty())
    command.push_back("--activations=" + layout.activations);
  command.push_back("--");
  for (const std::string &argument : megatronArguments(layout))
    command.push_back(argument);
  command.insert(command.end(), more.begin(), more.end());
  return run(command, seconds(60));
}

std::vector<std::string> runCommand(int ranks, const std::string &plan,
                                    const std::vector<std::string> &more) {
  // Ranks that wait give their core to others, also where there are as many
  // cores as ranks: the machine may have more to do.
  std::vector<std::string> command =
      words("mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle "
            "1 -n " +
            std::to_string(ranks));
  command.insert(command.end(), {tool("orrery-run"), plan, "--threads", "1"});
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

Metrics trainJob(const Layout &layout, const TestFolder &folder,
                 const std::vector<std::string> &more) {
  std::string plan = folder / (layout.name + ".plan");
  std::string metrics = folder / (layout.name + ".jsonl");
  Outcome compiled = compileJob(layout, plan);
  EXPECT_EQ(compiled.code, 0) << compiled.output;
  if (compiled.code != 0)
    return {};
  std::vector<std::string> options = {"--metrics", metrics};
  options.insert(options.end(), more.begin(), more.end());
  Outcome ran = run(runCommand(layout.ranks(), plan, options), seconds(300));
  EXPECT_EQ(ran.code, 0) << layout.name << (ran.timedOut ? " timed out" : "")
                         << "\n"
                         << ran.output;
  return ran.code == 0 ? readMetrics(metrics) : Metrics();
}

} // namespace orrery::test
