// Opening the splits on all ranks.
#include "runtime/exec/DataStreams.h"

#include "absl/strings/str_cat.h"
#include "runtime/comm/Agreement.h"
#include "runtime/log/Log.h"

namespace orrery::runtime {

absl::Status DataStreams::open(const job::JobSpec &job, int32_t dataRank,
                               bool reads, Communicator &world) {
  const bool evaluates = job.runtime().eval_iters() > 0;
  for (Split split : {Split::Train, Split::Valid, Split::Test}) {
    if (split != Split::Train && !evaluates)
      continue;
    const int index = static_cast<int>(split);
    absl::Status mine;
    if (reads) {
      absl::StatusOr<BatchSource> source =
          BatchSource::open(job, split, dataRank);
      mine = source.status();
      if (source.ok())
        sources[index] = *std::move(source);
    }
    if (absl::Status status = agree(world, mine); !status.ok())
      return status;
    int32_t filled = sources[index] && !sources[index]->empty();
    if (absl::Status status =
            world.allReduce(&filled, &filled, 1, plan::I32, Reduction::Max);
        !status.ok())
      return status;
    present[index] = filled != 0;
    if (split == Split::Valid && !filled && world.rank() == 0)
      spdlog::warn("the valid split has no samples: no validation, in spite of "
                   "--eval-iters {}",
                   job.runtime().eval_iters());
  }
  return absl::OkStatus();
}

absl::Status DataStreams::fill(Split split, int64_t consumed,
                               int64_t microbatch, BatchView batch) {
  std::optional<BatchSource> &source = sources[static_cast<int>(split)];
  if (!source)
    return absl::FailedPreconditionError(
        absl::StrCat("the ", splitName(split), " split is not open"));
  return source->fill(consumed, microbatch, batch);
}

} // namespace orrery::runtime
