// Parses a split string and applies it to a number of documents.
#include "runtime/data/Split.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace orrery::runtime {

namespace {

absl::StatusOr<std::array<double, 3>> parseShares(const std::string &text) {
  const char separator = text.find(',') != std::string::npos ? ',' : '/';
  const std::vector<std::string> parts = absl::StrSplit(text, separator);
  std::array<double, 3> shares = {0, 0, 0};
  for (size_t i = 0; i < parts.size(); ++i) {
    double share;
    if (!absl::SimpleAtod(parts[i], &share) || !std::isfinite(share) ||
        share < 0)
      return absl::InvalidArgumentError(absl::StrCat(
          "split '", text, "': '", parts[i],
          "' is not a number of at least 0; a split is for example 969,30,1"));
    if (i < 3)
      shares[i] = share;
  }
  return shares;
}

} // namespace

const char *splitName(Split split) {
  switch (split) {
  case Split::Train:
    return "train";
  case Split::Valid:
    return "valid";
  case Split::Test:
    return "test";
  }
  return "";
}

absl::StatusOr<std::array<int64_t, 4>> splitBounds(const std::string &text,
                                                   int64_t size) {
  absl::StatusOr<std::array<double, 3>> shares = parseShares(text);
  if (!shares.ok())
    return shares.status();
  const double sum = (*shares)[0] + (*shares)[1] + (*shares)[2];
  if (!(sum > 0) || !std::isfinite(sum))
    return absl::InvalidArgumentError(absl::StrCat(
        "split '", text, "': at least one share must be greater than 0"));
  std::array<int64_t, 4> bounds = {0, 0, 0, 0};
  for (size_t i = 0; i < 3; ++i)
    // The default rounding mode is half to even, as Python's round().
    bounds[i + 1] =
        bounds[i] + static_cast<int64_t>(std::nearbyint(
                        (*shares)[i] / sum * static_cast<double>(size)));
  const int64_t excess = bounds[3] - size;
  for (size_t i = 1; i < 4; ++i)
    bounds[i] = std::max<int64_t>(0, bounds[i] - excess);
  return bounds;
}

} // namespace orrery::runtime
