// Chooses the data set of every sample of a blend.
#include "runtime/data/Blend.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <cassert>
#include <cmath>

namespace orrery::runtime {

namespace {

constexpr int64_t markInterval = 256;

/// numpy.sum of a contiguous float64 array: plainly below 8 elements, by eight
/// running sums up to 128, by halves (of a multiple of 8) above.
double numpySum(std::span<const double> v) {
  const size_t n = v.size();
  if (n < 8) {
    double sum = 0;
    for (double value : v)
      sum += value;
    return sum;
  }
  if (n > 128) {
    const size_t half = n / 2 - (n / 2) % 8;
    return numpySum(v.first(half)) + numpySum(v.subspan(half));
  }
  double r[8];
  for (size_t j = 0; j < 8; ++j)
    r[j] = v[j];
  size_t i = 8;
  for (; i < n - n % 8; i += 8)
    for (size_t j = 0; j < 8; ++j)
      r[j] += v[i + j];
  double sum =
      ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (; i < n; ++i)
    sum += v[i];
  return sum;
}

} // namespace

absl::StatusOr<std::vector<double>>
normalised(std::span<const double> weights) {
  for (size_t i = 0; i < weights.size(); ++i)
    if (!std::isfinite(weights[i]) || weights[i] < 0)
      return absl::InvalidArgumentError(
          absl::StrCat("weight ", i + 1, " of the blend is ", weights[i],
                       ", it must be finite and at least 0"));
  const double sum = numpySum(weights);
  if (!(sum > 0) || !std::isfinite(sum))
    return absl::InvalidArgumentError(
        absl::StrCat("the weights of the blend add up to ", sum,
                     ", the sum must be finite and greater than 0"));
  std::vector<double> result(weights.begin(), weights.end());
  for (double &weight : result)
    weight /= sum;
  return result;
}

int64_t blendTarget(int64_t samples, double weight) {
  return static_cast<int64_t>(
      std::ceil(static_cast<double>(samples) * weight * 1.005));
}

absl::StatusOr<Blend> Blend::build(std::span<const double> weights,
                                   int64_t size) {
  absl::StatusOr<std::vector<double>> parts = normalised(weights);
  if (!parts.ok())
    return parts.status();
  Blend blend;
  blend.weights = *std::move(parts);
  blend.length = size;
  std::vector<int64_t> counts(weights.size(), 0);
  for (int64_t i = 0; i < size; ++i) {
    if (i % markInterval == 0)
      blend.marks.insert(blend.marks.end(), counts.begin(), counts.end());
    ++counts[blend.choose(i, counts)];
  }
  return blend;
}

int64_t Blend::choose(int64_t i, std::span<const int64_t> counts) const {
  const double reached = static_cast<double>(i < 1 ? 1 : i);
  int64_t best = 0;
  double behind = weights[0] * reached - static_cast<double>(counts[0]);
  for (size_t j = 1; j < weights.size(); ++j) {
    const double other = weights[j] * reached - static_cast<double>(counts[j]);
    if (other > behind) {
      best = static_cast<int64_t>(j);
      behind = other;
    }
  }
  return best;
}

Blend::Choice Blend::at(int64_t sample) const {
  assert(sample >= 0 && sample < length);
  const int64_t mark = sample / markInterval;
  const auto first =
      marks.begin() + mark * static_cast<int64_t>(weights.size());
  std::vector<int64_t> counts(first,
                              first + static_cast<int64_t>(weights.size()));
  for (int64_t i = mark * markInterval; i < sample; ++i)
    ++counts[choose(i, counts)];
  const int64_t dataset = choose(sample, counts);
  return {dataset, counts[dataset]};
}

} // namespace orrery::runtime
