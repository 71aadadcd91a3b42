// Sequential and cyclic order of samples.
#include "runtime/data/Samplers.h"

#include "runtime/data/Mt19937.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <cassert>
#include <limits>

namespace orrery::runtime {

absl::StatusOr<Sampler> Sampler::create(job::Data::Sampler kind, int64_t total,
                                        int64_t microBatchSize,
                                        int32_t dataParallel,
                                        int32_t dataRank) {
  assert(microBatchSize > 0 && dataRank >= 0 && dataRank < dataParallel);
  Sampler sampler;
  sampler.kind = kind;
  sampler.total = total;
  sampler.micro = microBatchSize;
  sampler.replicas = dataParallel;
  sampler.rank = dataRank;
  const int64_t wide = microBatchSize * dataParallel;
  if (total < wide)
    return absl::InvalidArgumentError(absl::StrCat(
        total, " samples are fewer than one microbatch on every replica: ",
        microBatchSize, " samples on ", dataParallel, " replicas are ", wide));
  if (kind == job::Data::CYCLIC &&
      total / wide * microBatchSize > std::numeric_limits<int32_t>::max())
    return absl::InvalidArgumentError(absl::StrCat(
        "the cyclic sampler cannot order ", total / wide * microBatchSize,
        " samples on one replica, the limit is 2147483647"));
  return sampler;
}

absl::Status Sampler::indices(int64_t consumedSamples, int64_t microbatch,
                              std::span<int64_t> out) {
  assert(static_cast<int64_t>(out.size()) == micro && consumedSamples >= 0);
  const int64_t wide = micro * replicas;
  const int64_t position = consumedSamples + microbatch * wide;
  if (kind == job::Data::SINGLE) {
    if (position + wide > total)
      return absl::OutOfRangeError(absl::StrCat(
          "samples [", position, ", ", position + wide, ") of microbatch ",
          microbatch, " do not exist, the data set has ", total));
    for (int64_t i = 0; i < micro; ++i)
      out[i] = position + rank * micro + i;
    return absl::OkStatus();
  }
  const int64_t active = total - total % wide;
  const int64_t bucket = total / wide * micro;
  const int64_t epoch = position / active;
  if (epoch != orderedEpoch) {
    order = torchRandperm(static_cast<int32_t>(bucket),
                          static_cast<uint32_t>(epoch));
    orderedEpoch = epoch;
  }
  const int64_t first = position % active / wide * micro;
  for (int64_t i = 0; i < micro; ++i)
    out[i] = rank * bucket + order[first + i];
  return absl::OkStatus();
}

} // namespace orrery::runtime
