// Ranks of one host.
#include "runtime/comm/nccl/LocalRank.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unistd.h>
#include <vector>

namespace orrery::runtime {

LocalRank localRankAmong(std::span<const std::string> hosts, int self) {
  LocalRank local{0, 0};
  for (size_t r = 0; r < hosts.size(); ++r) {
    if (hosts[r] != hosts[self])
      continue;
    local.rank += static_cast<int>(r) < self;
    ++local.size;
  }
  return local;
}

absl::StatusOr<LocalRank> findLocalRank(Communicator &world) {
  using Name = std::array<char, 256>;
  Name own = {};
  if (gethostname(own.data(), own.size() - 1) != 0)
    return absl::UnavailableError(absl::StrCat(
        "gethostname on rank ", world.rank(), ": ", std::strerror(errno)));
  std::vector<Name> names(world.size());
  if (absl::Status status = world.allGather(
          own.data(), names.data(), own.size() / sizeof(int32_t), plan::I32);
      !status.ok())
    return status;
  std::vector<std::string> hosts;
  for (const Name &name : names)
    hosts.emplace_back(name.data());
  return localRankAmong(hosts, world.rank());
}

} // namespace orrery::runtime
