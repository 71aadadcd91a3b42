// Vocabulary size and end-of-document token of a job.
#ifndef ORRERY_FRONTEND_MEGATRON_LM_VOCABULARY_H
#define ORRERY_FRONTEND_MEGATRON_LM_VOCABULARY_H

#include "frontend/megatron_lm/Rules.h"

#include <cstdint>
#include <optional>

namespace orrery::frontend::megatron {

struct Vocabulary {
  int64_t size = 0;          // entries of the tokenizer
  int64_t endOfDocument = 0; // id of <|endoftext|>
  bool assumed = false;      // size came from the compiler's own option
};

/// Reads `--vocab-file` (GPT-2's vocab.json: an object from token to id;
/// relative to the current directory), or takes `stated`, the compiler's
/// --vocab-size, where the file is absent; GPT-2 has its end-of-document
/// token last, so the token is then `stated` - 1. A file that can be read and
/// says otherwise than `stated` is an error. Faults go to `line`; nothing is
/// returned then.
std::optional<Vocabulary> readVocabulary(CommandLine &line,
                                         std::optional<int64_t> stated);

} // namespace orrery::frontend::megatron

#endif // ORRERY_FRONTEND_MEGATRON_LM_VOCABULARY_H
