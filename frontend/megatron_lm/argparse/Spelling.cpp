// Edit distance between option names.
#include "frontend/megatron_lm/argparse/Spelling.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <numeric>

namespace orrery::frontend::megatron {

static char folded(char c) {
  return c == '_' ? '-' : char(std::tolower(static_cast<unsigned char>(c)));
}

/// Levenshtein distance of the folded words, one row at a time.
static size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      size_t replaced = diagonal + (folded(a[i]) != folded(b[j]));
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

std::string_view
closestSpelling(std::string_view word,
                const std::vector<std::string_view> &candidates) {
  constexpr size_t kLongest = 128; // no option is nearly as long
  std::string_view best;
  if (word.size() > kLongest)
    return best;
  size_t bestDistance = word.size();
  for (std::string_view candidate : candidates) {
    size_t longer = std::max(word.size(), candidate.size());
    if (longer - std::min(word.size(), candidate.size()) >= bestDistance)
      continue; // the distance is at least the difference in length
    size_t distance = editDistance(word, candidate);
    if (distance < bestDistance && distance <= candidate.size() / 2) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

} // namespace orrery::frontend::megatron
