// Which samples a data-parallel rank reads for a microbatch.
#ifndef ORRERY_RUNTIME_DATA_SAMPLERS_H
#define ORRERY_RUNTIME_DATA_SAMPLERS_H

#include "frontend/job/Job.pb.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace orrery::runtime {

/// The order of samples, b per microbatch on each of d data-parallel ranks.
///
/// SINGLE, each sample once, in order: microbatch j of a step that begins with
/// c consumed samples is, on rank r, samples c + j*b*d + r*b + [0, b).
///
///             c    rank 0   rank 1        b = 2, d = 2
///   j = 0     8     8  9    10 11
///   j = 1          12 13    14 15
///
/// CYCLIC, endlessly: the samples (less the last incomplete b*d) are dealt out
/// in d equal ranges, one per rank, each visited in an order that torch's
/// randperm draws anew for every epoch from the epoch's number alone.
///
/// Source: Megatron-LM megatron/data/data_samplers.py.
class Sampler {
public:
  /// `total` samples exist. Errors: InvalidArgument when that is less than
  /// b*d, or too much for CYCLIC (2^31 - 1 on one rank).
  static absl::StatusOr<Sampler> create(job::Data::Sampler kind, int64_t total,
                                        int64_t microBatchSize,
                                        int32_t dataParallel, int32_t dataRank);

  /// Fills `out`, of b elements, with the samples of a microbatch. A CYCLIC
  /// position that is no multiple of b*d (after resuming with another layout)
  /// is rounded down to one. Errors: OutOfRange when SINGLE has no whole
  /// microbatch left.
  absl::Status indices(int64_t consumedSamples, int64_t microbatch,
                       std::span<int64_t> out);

private:
  Sampler() = default;

  job::Data::Sampler kind = job::Data::SINGLE;
  int64_t total = 0, micro = 0, replicas = 0, rank = 0;
  int64_t orderedEpoch = -1; // epoch that `order` belongs to
  std::vector<int32_t> order;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_SAMPLERS_H
