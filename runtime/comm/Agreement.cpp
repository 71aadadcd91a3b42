// Agreement by a maximum over all ranks.
#include "runtime/comm/Agreement.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include <algorithm>
#include <vector>

namespace orrery::runtime {

absl::Status agree(Communicator &world, const absl::Status &mine) {
  // Falls with the rank, so that the lowest failing rank wins; 0: none. Who
  // was told of another's failure comes behind all who know why.
  int32_t failed = mine.ok() ? 0 : world.size() - world.rank();
  if (!mine.ok() && !absl::IsCancelled(mine))
    failed += world.size();
  if (absl::Status status =
          world.allReduce(&failed, &failed, 1, plan::I32, Reduction::Max);
      !status.ok())
    return status;
  if (failed == 0)
    return absl::OkStatus();
  const int speaker = (2 * world.size() - failed) % world.size();
  if (speaker == world.rank())
    return mine;
  return absl::CancelledError(absl::StrCat("rank ", speaker, " failed"));
}

absl::Status agreeOnValue(Communicator &world, uint64_t value,
                          std::string_view what) {
  std::vector<uint64_t> values(world.size());
  if (absl::Status status =
          world.allGather(&value, values.data(), 1, plan::I64);
      !status.ok())
    return status;
  absl::Status mine;
  for (int rank = 1; rank < world.size() && mine.ok(); ++rank)
    if (values[rank] != values[0])
      mine = absl::FailedPreconditionError(
          absl::StrFormat("rank %d has another %s than rank 0: %016x and %016x",
                          rank, std::string(what), values[rank], values[0]));
  return agree(world, mine);
}

absl::Status agreeOnLargest(Communicator &world, int64_t kind,
                            std::span<int64_t> values) {
  std::vector<int64_t> own = {kind};
  own.insert(own.end(), values.begin(), values.end());
  std::vector<int64_t> all(own.size() * static_cast<size_t>(world.size()));
  if (absl::Status status = world.allGather(
          own.data(), all.data(), static_cast<int64_t>(own.size()), plan::I64);
      !status.ok())
    return status;
  for (size_t at = 0; at < all.size(); at += own.size())
    for (size_t i = 0; i < values.size() && all[at] == kind; ++i)
      values[i] = std::max(values[i], all[at + 1 + i]);
  return absl::OkStatus();
}

} // namespace orrery::runtime
