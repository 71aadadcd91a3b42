// Fuzzes the Megatron-LM front end: the first line is the number of ranks,
// each further line one word of the command line.
#include "frontend/job/Check.h"
#include "frontend/megatron_lm/MegatronLm.h"
#include "test/fuzz/FuzzTarget.h"

#include <cstdlib>
#include <sstream>

using namespace orrery;
using namespace orrery::frontend::megatron;

namespace {

int64_t accepted = 0;

/// Ends the process, which is the finding.
void require(bool condition) {
  if (!condition)
    std::abort();
}

/// A legal command line, one word a line, with `extra` after it.
std::string seed(const std::string &extra) {
  std::string line =
      "8 --num-layers 8 --hidden-size=64 --num-attention-heads 4 "
      "--seq-length 32 --max-position-embeddings 32 --micro-batch-size 2 "
      "--global-batch-size 16 --lr 0.001 --data-path 0.5 a 0.5 b " +
      extra;
  std::istringstream stream(line);
  std::string bytes;
  for (std::string word; stream >> word;)
    bytes += word + "\n";
  return bytes;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::istringstream stream(
      std::string(reinterpret_cast<const char *>(data), size));
  ParseRequest request{"pretrain_gpt.py", {}, 0, 50257};
  std::string word;
  if (std::getline(stream, word))
    request.worldSize = std::strtoll(word.c_str(), nullptr, 10);
  while (std::getline(stream, word))
    request.argv.push_back(word);
  ParseResult result = parse(request);
  for (const job::Diagnostic &error : result.errors)
    require(!error.problem.empty() && !error.str().empty());
  require(!result.explain.empty());
  if (!result.ok())
    return 0;
  ++accepted;
  require(job::check(result.job).empty());
  require(!formatExplain(result.explain).empty());
  return 0;
}

std::vector<std::string> orrery::test::fuzzSeeds() {
  return {
      seed("--train-iters 100"),
      seed("--train-samples 1600 --rampup-batch-size 16 16 160 "
           "--global-batch-size 64"),
      seed("--train-iters 100 --fp16 --loss-scale 8 --split 9,1 --min-lr=1e-5"),
      seed("--train-iters 9 --tensor-model-parallel-size 2 --sequence-parallel "
           "--pipeline-model-parallel-size 2 --checkpoint-activations"),
  };
}

int64_t orrery::test::fuzzAccepted() { return accepted; }
