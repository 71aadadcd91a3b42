// Finds the word a user probably meant.
#ifndef ORRERY_FRONTEND_MEGATRON_LM_ARGPARSE_SPELLING_H
#define ORRERY_FRONTEND_MEGATRON_LM_ARGPARSE_SPELLING_H

#include <string_view>
#include <vector>

namespace orrery::frontend::megatron {

/// The candidate with the smallest edit distance to `word` (insert, delete,
/// replace; '_' and '-' count as equal), the first of several; empty when
/// even that differs in more than half of its letters.
std::string_view
closestSpelling(std::string_view word,
                const std::vector<std::string_view> &candidates);

} // namespace orrery::frontend::megatron

#endif // ORRERY_FRONTEND_MEGATRON_LM_ARGPARSE_SPELLING_H
