// Short-hand for command lines in tests.
#ifndef ORRERY_TEST_FRONTEND_MEGATRON_LM_COMMANDLINE_H
#define ORRERY_TEST_FRONTEND_MEGATRON_LM_COMMANDLINE_H

#include "frontend/megatron_lm/MegatronLm.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace orrery::test {

/// The words of a text between blanks; a '~' stands for a blank in a word.
inline std::vector<std::string> words(const std::string &text) {
  std::istringstream stream(text);
  std::vector<std::string> list;
  for (std::string word; stream >> word; list.push_back(word))
    std::ranges::replace(word, '~', ' ');
  return list;
}

/// A legal GPT on 8 ranks: 2 tensor ranks, 2 stages, 2 replicas.
inline constexpr const char *kModel =
    "--num-layers 8 --hidden-size 64 --num-attention-heads 4 "
    "--seq-length 32 --max-position-embeddings 32 --data-path tokens ";
inline constexpr const char *kLayout =
    "--tensor-model-parallel-size 2 --pipeline-model-parallel-size 2 "
    "--micro-batch-size 2 --global-batch-size 16 ";
inline constexpr const char *kSteps = "--train-iters 100 --lr 0.001 ";
inline constexpr const char *kSamples = "--train-samples 1600 --lr 0.001 ";

inline frontend::megatron::ParseResult
parseLine(const std::string &line, int64_t worldSize = 8,
          std::optional<int64_t> vocabSize = 50257) {
  return frontend::megatron::parse(
      {"pretrain_gpt.py", words(line), worldSize, vocabSize});
}

/// The legal GPT with `extra` after it, counted in steps.
inline frontend::megatron::ParseResult parseWith(const std::string &extra) {
  return parseLine(std::string(kModel) + kLayout + kSteps + extra);
}

} // namespace orrery::test

#endif // ORRERY_TEST_FRONTEND_MEGATRON_LM_COMMANDLINE_H
