// Blending of several data sets by weight.
#ifndef ORRERY_RUNTIME_DATA_BLEND_H
#define ORRERY_RUNTIME_DATA_BLEND_H

#include "absl/status/statusor.h"

#include <cstdint>
#include <span>
#include <vector>

namespace orrery::runtime {

/// Weights divided by their sum, which is formed as numpy.sum does (pairwise
/// from 8 elements on), so that blends agree with the originals' bit for bit.
/// InvalidArgument when a weight is negative or not finite or all are zero.
absl::StatusOr<std::vector<double>> normalised(std::span<const double> weights);

/// Samples to ask of a data set whose (normalised) weight is `weight` so that
/// `samples` can be drawn from the blend: half a percent is kept in reserve.
int64_t blendTarget(int64_t samples, double weight);

/// Which data set, and which sample of it, each sample of a blend is.
///
/// Sample i comes from the data set whose share is most behind: the largest
/// weight * max(i, 1) - (samples taken so far), the first of equals; it is that
/// data set's next sample. Counts are kept for every 256th sample only, and
/// the samples between are found by repeating the choice from there.
/// Source: Megatron-LM megatron/data/helpers.cpp (build_blending_indices).
class Blend {
public:
  struct Choice {
    int64_t dataset = 0;
    int64_t sample = 0;
  };

  /// `weights` are normalised here; `size` is the number of samples.
  static absl::StatusOr<Blend> build(std::span<const double> weights,
                                     int64_t size);

  int64_t size() const { return length; }
  /// 0 <= sample < size().
  Choice at(int64_t sample) const;

private:
  /// The data set of sample `i` when `counts` have been taken before it.
  int64_t choose(int64_t i, std::span<const int64_t> counts) const;

  std::vector<double> weights;
  std::vector<int64_t> marks; // counts before samples 0, 256, 512, …
  int64_t length = 0;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_BLEND_H
